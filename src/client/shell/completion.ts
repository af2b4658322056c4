import type { Command as Words } from 'commander';
import { examplesText, type Shell, subcommand } from './shell.ts';

/** The shells, how each is told to use its script, and who writes that. */
const shells = [
  { name: 'bash', use: 'source <(secure-inv completion bash)', write: bashCompletion },
  { name: 'zsh', use: 'source <(secure-inv completion zsh)', write: zshCompletion },
  { name: 'fish', use: 'secure-inv completion fish | source', write: fishCompletion },
] as const;

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
  const cases = followers(program, '').map(
    ({ path, follow }) => `      '${path}') words='${follow.map(({ word }) => word).join(' ')}' ;;`,
  );
  return `# bash completion of secure-inv. Use it: source <(secure-inv completion bash)
_secure_inv() {
  local path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases.join('\n')}
    esac
    [[ -n $words || -z $path ]] && break
    [[ $path == *' '* ]] && path="\${path% *}" || path=''
  done
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _secure_inv secure-inv
`;
}

/** Sourced or as a file \`_secure-inv\` in \`fpath\`: the first line makes it one, the last ones tell which it is. */
function zshCompletion(program: Words): string {
  const cases = followers(program, '').map(({ path, follow }) => {
    const words = follow.map(({ word, meaning }) => quote(`${word.replaceAll(':', '\\:')}:${meaning}`));
    return `      (${quote(path)}) offers=(${words.join(' ')}) ;;`;
  });
  return `#compdef secure-inv
# zsh completion of secure-inv. Use it: source <(secure-inv completion zsh)
_secure-inv() {
  local at='' word
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in (-*) ;; (*) at="\${at:+$at }$word" ;; esac
  done
  while :; do
    case "$at" in
${cases.join('\n')}
    esac
    [[ \${#offers} -gt 0 || -z $at ]] && break
    [[ $at == *' '* ]] && at="\${at% *}" || at=''
  done
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
  const groups = followers(program, '');
  const paths = groups.map(({ path }) => quoteForFish(path)).join(' ');
  const lines = groups.flatMap(({ path, follow }) =>
    follow.map(({ word, meaning }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${quoteForFish(word)}`;
      return `complete -c secure-inv -n ${quoteForFish(`__secure_inv_at "${path}"`)} ${what} -d ${quoteForFish(meaning)}`;
    }),
  );
  return `# fish completion of secure-inv. Use it: secure-inv completion fish | source
function __secure_inv_at
    set -l at
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        string match -q -- '-*' $word; or set -a at $word
    end
    while test (count $at) -gt 0; and not contains -- "$at" ${paths}
        set -e at[-1]
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

interface Followers {
  /** The words of a command. */
  readonly path: string;
  readonly follow: readonly { readonly word: string; readonly meaning: string }[];
}

/** Each command's words, and what may follow them. */
function followers(program: Words, path: string): Followers[] {
  const follow = [
    ...program.commands.map((command) => ({ word: command.name(), meaning: command.description() })),
    ...program.options.flatMap(({ long, description, hidden }) =>
      long && !hidden ? { word: long, meaning: description } : [],
    ),
    { word: '--help', meaning: 'show what it does' },
  ];
  const below = program.commands.flatMap((command) => followers(command, `${path} ${command.name()}`.trim()));
  return [{ path, follow }, ...below];
}

/** For bash and zsh. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function quoteForFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
