import { add } from './add.ts';
import { audit } from './audit.ts';
import { authenticate } from './authenticate.ts';
import { certChallenge } from './cert/challenge.ts';
import { certRequest } from './cert/request.ts';
import type { Command } from './command.ts';
import { count } from './count.ts';
import { defineDiscover } from './discover.ts';
import { enroll } from './enroll.ts';
import { hello } from './hello.ts';
import { history } from './history.ts';
import { importAccept } from './import/accept.ts';
import { importBegin } from './import/begin.ts';
import { importPage } from './import/page.ts';
import { importStatus } from './import/status.ts';
import { itemAdd } from './item/add.ts';
import { itemArchive } from './item/archive.ts';
import { itemEdit } from './item/edit.ts';
import { itemRename } from './item/rename.ts';
import { itemRestore } from './item/restore.ts';
import { itemShow } from './item/show.ts';
import { locationAdd } from './location/add.ts';
import { locationArchive } from './location/archive.ts';
import { locationList } from './location/list.ts';
import { locationRename } from './location/rename.ts';
import { login } from './login.ts';
import { logout } from './logout.ts';
import { move } from './move.ts';
import { passwd } from './passwd.ts';
import { ping } from './ping.ts';
import { refresh } from './refresh.ts';
import { serverReload } from './server/reload.ts';
import { serverStatus } from './server/status.ts';
import { sessionList } from './session/list.ts';
import { sessionRevoke } from './session/revoke.ts';
import { take } from './take.ts';
import { tokenCreate } from './token/create.ts';
import { tokenList } from './token/list.ts';
import { tokenRevoke } from './token/revoke.ts';
import { undo } from './undo.ts';
import { userAdd } from './user/add.ts';
import { userDisable } from './user/disable.ts';
import { userEdit } from './user/edit.ts';
import { userEnable } from './user/enable.ts';
import { userLimit } from './user/limit.ts';
import { userList } from './user/list.ts';
import { userReset } from './user/reset.ts';
import { userUnlock } from './user/unlock.ts';
import { view } from './view.ts';
import { watch } from './watch.ts';
import { whoami } from './whoami.ts';

const table = [
  add,
  take,
  move,
  count,
  undo,
  view,
  history,
  watch,
  itemAdd,
  itemShow,
  itemEdit,
  itemRename,
  itemArchive,
  itemRestore,
  importBegin,
  importPage,
  importAccept,
  importStatus,
  locationAdd,
  locationList,
  locationRename,
  locationArchive,
  enroll,
  login,
  refresh,
  authenticate,
  whoami,
  passwd,
  logout,
  sessionList,
  sessionRevoke,
  tokenCreate,
  tokenList,
  tokenRevoke,
  certChallenge,
  certRequest,
  userAdd,
  userList,
  userEdit,
  userLimit,
  userDisable,
  userEnable,
  userReset,
  userUnlock,
  audit,
  serverStatus,
  serverReload,
  hello,
  ping,
] as const;

const discover = defineDiscover((): readonly Command[] => commands);

/** Everything a user may ask for. Validation, help, arguments, the typed client and the documents derive from it. */
export const commands = [...table, discover] as const;

const byName: ReadonlyMap<string, Command> = new Map(commands.map((command) => [command.name, command]));

/** The command of this name, if there is one: the first gate. */
export function findCommand(name: string): Command | undefined {
  return byName.get(name);
}
