import type { Command as Words } from 'commander';
import { examplesText, type Shell, subcommand } from './shell.ts';

/** `completion`: a script for the shell, made of the same commands that the program has. */
export function addCompletion(shell: Shell): void {
  subcommand(shell.program, ['completion', 'bash'], 'Print a completion script for bash.')
    .addHelpText('after', examplesText(['source <(secure-inv completion bash)']))
    .action(() => {
      process.stdout.write(bashCompletion(shell.program));
    });
}

function bashCompletion(program: Words): string {
  const cases = pathsOf(program, '').map(([path, words]) => `    '${path}') words='${words.join(' ')}' ;;`);
  return `# bash completion of secure-inv. Use it: source <(secure-inv completion bash)
_secure_inv() {
  local path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases.map((line) => `  ${line}`).join('\n')}
    esac
    [[ -n $words || -z $path ]] && break
    [[ $path == *' '* ]] && path="\${path% *}" || path=''
  done
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _secure_inv secure-inv
`;
}

/** Each command's words, and what may follow them. */
function pathsOf(program: Words, path: string): (readonly [path: string, words: readonly string[]])[] {
  const follow = [
    ...program.commands.map((command) => command.name()),
    ...program.options.flatMap(({ long }) => long ?? []),
    '--help',
  ];
  const below = program.commands.flatMap((command) => pathsOf(command, `${path} ${command.name()}`.trim()));
  return [[path, follow], ...below];
}
