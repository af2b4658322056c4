import type { Command as Words } from 'commander';
import { findCommand } from '../../command/index.ts';
import { choicesOf } from './remote.ts';
import { examplesText, type Shell, subcommand } from './shell.ts';

/** The shells, how each is told to use its script, and who writes that. */
const shells = [
  { name: 'bash', use: 'source <(secure-inv completion bash)', write: bashCompletion },
  { name: 'zsh', use: 'source <(secure-inv completion zsh)', write: zshCompletion },
  { name: 'fish', use: 'secure-inv completion fish | source', write: fishCompletion },
] as const;

/** What prints the names of the contexts, in each of the shells: they are in a file of one's own, so no server is asked. */
const contextNames = `secure-inv context list --json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d'"' -f4`;

/** `completion`: a script for the shell, made of the same commands that the program has. */
export function addCompletion(shell: Shell): void {
  for (const { name, use, write } of shells) {
    subcommand(shell.program, ['completion', name], `Print a completion script for ${name}.`)
      .addHelpText('after', examplesText([use]))
      .action(() => {
        process.stdout.write(write(shell.program));
      });
  }
}

function bashCompletion(program: Words): string {
  const places = placesOf(program, '');
  const cases = places.map(({ path, follow, takesFile, takesContext }) => {
    const known = takesContext ? `" $(${contextNames})"` : '';
    const words = `words='${follow.map(({ word }) => word).join(' ')}'${known}`;
    return `      '${path}') ${words}${takesFile ? ' files=yes' : ''} ;;`;
  });
  const values = choicesAt(places).map(({ at, choices }) => `      '${at}') words='${choices.join(' ')}' ;;`);
  const { all, file } = valueOptions(places);
  const flags = optionsOf(program)
    .map(({ word }) => word)
    .join(' ');
  return `# bash completion of secure-inv. Use it: source <(secure-inv completion bash)
_secure_inv() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' option='' files='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $word == = ]]; then continue # --role=clerk is three words.
    elif [[ $word == : ]]; then option=: # So is other:7443; its port is no command.
    elif [[ -n $option ]]; then option=''
    else
      case "$word" in
        ${all.join('|')}) option="$word" ;;
        -*) ;;
        *) path="\${path:+$path }$word" ;;
      esac
    fi
  done
  while :; do
    case "$path" in
${cases.join('\n')}
    esac
    [[ -n $words || -z $path ]] && break
    [[ $path == *' '* ]] && path="\${path% *}" || path=''
  done
  if [[ -n $option ]]; then
    [[ $current == = ]] && current=''
    words='' files=''
    case "$path $option" in
${values.join('\n')}
      ${file.map((flag) => `*' ${flag}'`).join('|')}) files=yes ;;
      *) compopt +o default 2>/dev/null ;;
    esac
  elif [[ $current == -* && -n $path ]]; then
    words+=' ${flags}' files=''
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; [[ -z $files ]] || compgen -f -- "$current")
  [[ -z $files ]] || compopt -o filenames 2>/dev/null
}
complete -o default -F _secure_inv secure-inv
`;
}

/** Sourced or as a file \`_secure-inv\` in \`fpath\`: the first line makes it one, the last ones tell which it is. */
function zshCompletion(program: Words): string {
  const places = placesOf(program, '');
  const describe = (follow: readonly Follower[]) =>
    follow.map(({ word, meaning }) => quote(`${word.replaceAll(':', '\\:')}:${meaning}`)).join(' ');
  const cases = places.map(({ path, follow, takesFile, takesContext }) => {
    // A colon would begin the meaning.
    const known = takesContext ? ` \${\${(f)"$(${contextNames})"}//:/\\\\:}` : '';
    return `      (${quote(path)}) offers=(${describe(follow)}${known})${takesFile ? ' files=yes' : ''} ;;`;
  });
  const values = choicesAt(places).map(({ at, choices }) => `      (${quote(at)}) offers=(${choices.join(' ')}) ;;`);
  const { all, file } = valueOptions(places);
  return `#compdef secure-inv
# zsh completion of secure-inv. Use it: source <(secure-inv completion zsh)
_secure-inv() {
  local at='' option='' files='' word
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ -n $option ]]; then option=''
    else
      case "$word" in
        (${all.join('|')}) option="$word" ;;
        (-*) ;;
        (*) at="\${at:+$at }$word" ;;
      esac
    fi
  done
  while :; do
    case "$at" in
${cases.join('\n')}
    esac
    [[ \${#offers} -gt 0 || -z $at ]] && break
    [[ $at == *' '* ]] && at="\${at% *}" || at=''
  done
  if [[ -z $option && $words[CURRENT] == --*=* ]]; then
    option="\${words[CURRENT]%%=*}"
    compset -P '*='
  fi
  if [[ -n $option ]]; then
    offers=() files=''
    case "$at $option" in
${values.join('\n')}
      (${file.map((flag) => `*' ${flag}'`).join('|')}) files=yes ;;
    esac
    if [[ -n $files ]]; then _files; else _describe -t values value offers; fi
    return
  fi
  [[ -z $at || $words[CURRENT] != -* ]] || offers+=(${describe(optionsOf(program))})
  [[ -z $files ]] || _files
  _describe -t commands 'secure-inv' offers || _files
}
if [[ \${funcstack[1]} == _secure-inv ]]; then
  _secure-inv "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }
  compdef _secure-inv secure-inv
fi
`;
}

function fishCompletion(program: Words): string {
  const places = placesOf(program, '');
  const paths = places.map(({ path }) => quoteForFish(path)).join(' ');
  const lines = places.flatMap(({ path, follow, takesFile }) =>
    follow.map(({ word, meaning, takes }) => {
      // What may stand anywhere is known anywhere: also whether a value comes behind it.
      const isGlobal = path === '' && word.startsWith('--');
      const where = isGlobal ? '' : ` -n ${quoteForFish(`__secure_inv_at "${path}"`)}`;
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `${takesFile ? '' : '-f '}-a ${quoteForFish(word)}`;
      return `complete -c secure-inv${where} ${what}${valueForFish(takes)} -d ${quoteForFish(meaning)}`;
    }),
  );
  const contexts = places
    .filter(({ takesContext }) => takesContext)
    .map(({ path }) => {
      const where = quoteForFish(`__secure_inv_at "${path}"`);
      return `complete -c secure-inv -n ${where} -f -a ${quoteForFish(`(${contextNames})`)} -d context`;
    });
  return `# fish completion of secure-inv. Use it: secure-inv completion fish | source
function __secure_inv_at
    set -l at
    set -l is_value no
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        if test $is_value = yes
            set is_value no
        else if contains -- $word ${valueOptions(places).all.join(' ')}
            set is_value yes
        else
            string match -q -- '-*' $word; or set -a at $word
        end
    end
    while test (count $at) -gt 0; and not contains -- "$at" ${paths}
        set -e at[-1]
    end
    test "$at" = "$argv[1]"
end
${[...lines, ...contexts].join('\n')}
`;
}

function valueForFish(takes: Takes): string {
  if (takes === 'nothing') return '';
  if (takes === 'file') return ' -r -F';
  return takes === 'text' ? ' -x' : ` -x -a ${quoteForFish(takes.join(' '))}`;
}

/** What an option is given: one of these words, or anything. */
type Takes = 'nothing' | 'file' | 'text' | readonly string[];

interface Follower {
  readonly word: string;
  readonly meaning: string;
  readonly takes: Takes;
}

interface Place {
  /** The words of a command. */
  readonly path: string;
  readonly follow: readonly Follower[];
  /** A file may follow, too. */
  readonly takesFile: boolean;
  /** Or the name of a context. */
  readonly takesContext: boolean;
}

/** Each command's words, and what may follow them. */
function placesOf(program: Words, path: string): Place[] {
  const command = findCommand(path.replaceAll(' ', '.'));
  const follow = [
    ...program.commands.map((one) => ({ word: one.name(), meaning: one.description(), takes: 'nothing' as const })),
    ...optionsOf(program, (flag) => command && choicesOf(command, flag)),
    { word: '--help', meaning: 'show what it does', takes: 'nothing' as const },
  ];
  const takesFile = program.registeredArguments[0]?.name() === 'file';
  const takesContext = program.parent?.name() === 'context' && program.registeredArguments[0]?.name() === 'name';
  const below = program.commands.flatMap((one) => placesOf(one, `${path} ${one.name()}`.trim()));
  return [{ path, follow, takesFile, takesContext }, ...below];
}

function optionsOf(program: Words, choices: (flag: string) => readonly string[] | undefined = () => undefined) {
  return program.options.flatMap(({ long, flags, description, hidden, required, argChoices }): readonly Follower[] => {
    if (!long || hidden) return [];
    const free = flags.endsWith('<file>') ? 'file' : 'text';
    return [{ word: long, meaning: description, takes: required ? (argChoices ?? choices(long) ?? free) : 'nothing' }];
  });
}

/** The options behind which a value stands, and those of them whose value is a file: the same in every command. */
function valueOptions(places: readonly Place[]): { readonly all: readonly string[]; readonly file: readonly string[] } {
  const options = places.flatMap(({ follow }) => follow).filter(({ takes }) => takes !== 'nothing');
  const words = (some: readonly Follower[]) => [...new Set(some.map(({ word }) => word))];
  return { all: words(options), file: words(options.filter(({ takes }) => takes === 'file')) };
}

/** The words that may stand behind an option of a command: `user add --role`. */
function choicesAt(places: readonly Place[]): readonly { readonly at: string; readonly choices: readonly string[] }[] {
  return places.flatMap(({ path, follow }) =>
    follow.flatMap(({ word, takes }) => (typeof takes === 'string' ? [] : { at: `${path} ${word}`, choices: takes })),
  );
}

/** For bash and zsh. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function quoteForFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
