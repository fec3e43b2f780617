import { quoteForShell } from './model.js';
import type { CompletedOption, CompletionModel, Place } from './model.js';

/** The completion of `kv` for zsh, to be sourced or to lie as `_kv` in a folder of `fpath`. */
export function zshCompletion({ commands, options }: CompletionModel): string {
  return `#compdef kv
# Completion of kv for zsh, made by "kv completion zsh". To have it: source <(kv completion zsh)

_kv_commands() {
  kv_found=(${commands.map(({ name, summary }) => described(name, summary)).join(' ')})
}

_kv_options() {
  case $1 in
${commands.map(({ name, options: own }) => arm(name, dashed(own))).join('')}${arm('*', dashed(options))}  esac
}

# What the value of an option is; nothing for a flag.
_kv_value() {
  case $1 in
${options.map(({ dashed: name, value }) => (value === undefined ? '' : arm(name, shown(value)))).join('')}    *) return 1 ;;
  esac
}

# What the word of a command at a place is.
_kv_operand() {
  case $1 in
${commands.flatMap(({ name, operands }) => operands.map((place, at) => operandArm(name, at, place))).join('')}  esac
}
${COMPLETING}`;
}

function arm(pattern: string, words: string): string {
  return `    ${pattern}) kv_found=(${words}) ;;\n`;
}

function operandArm(name: string, at: number, place: Place): string {
  return place.kind === 'anything' ? '' : arm(`${name}:${String(at)}`, shown(place));
}

/** As \`_describe\` reads it. */
function described(name: string, description: string): string {
  return quoteForShell(`${name.replaceAll(':', '\\:')}:${description}`);
}

function dashed(options: readonly CompletedOption[]): string {
  return options.map((option) => described(option.dashed, option.description)).join(' ');
}

function shown(place: Place): string {
  return place.kind === 'words' ? place.words.map(quoteForShell).join(' ') : `:${place.kind}`;
}

const COMPLETING = `
_kv() {
  local word command option dashes
  local -a kv_found target given
  local -i place=0
  for word in "\${(@Q)words[2,CURRENT-1]}"; do
    if [[ -n $option ]]; then
      [[ $option == --address ]] && target=(--address "$word")
      option=
    elif [[ -z $dashes && $word == -- ]]; then
      dashes=1
    elif [[ -z $dashes && $word == --*=* ]]; then
      [[ $word == --address=* ]] && target=("$word")
      given+=("\${word%%=*}")
    elif [[ -z $dashes && $word == -* ]]; then
      _kv_value "$word" && option=$word
      given+=("$word")
    elif [[ -z $command ]]; then
      command=$word
    else
      place+=1
    fi
  done

  kv_found=()
  if [[ -n $option ]]; then
    _kv_value "$option"
  elif [[ -z $dashes && $PREFIX == --*=* ]]; then
    _kv_value "\${PREFIX%%=*}"
    compset -P '*='
  elif [[ -z $dashes && $PREFIX == -* ]]; then
    _kv_options "$command"
    for word in $given; do kv_found=("\${(@)kv_found:#$word:*}"); done
    _describe -o option kv_found
    return
  elif [[ -z $command ]]; then
    _kv_commands
    _describe command kv_found
    return
  else
    _kv_operand "$command:$place"
  fi

  case $kv_found[1] in
    :files) _files ;;
    :keys) _kv_keys ;;
    :*) ;;
    *) compadd -a kv_found ;;
  esac
}

# Whatever goes wrong, nothing is said.
_kv_keys() {
  local -a keys
  keys=("\${(@f)$("\${(Q)words[1]}" completion keys $target -- "\${(Q)PREFIX}" 2>/dev/null)}")
  compadd -- \${keys:#}
}

if [[ $funcstack[1] == _kv ]]; then _kv "$@"; else compdef _kv kv; fi
`;
