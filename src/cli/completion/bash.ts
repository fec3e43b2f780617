import { quoteForShell } from './model.js';
import type { CompletedOption, CompletionModel, Place } from './model.js';

/**
 * The completion of `kv` for bash, back to the 3.2 of macOS. It needs nothing of the bash-completion package.
 *
 * bash cuts words at `:` and `=` and wants only what stands behind the cut, so the words are put together first.
 */
export function bashCompletion({ commands, options }: CompletionModel): string {
  return `# Completion of kv for bash, made by "kv completion bash". To have it: source <(kv completion bash)

_kv_commands() {
  echo ${quoteForShell(commands.map(({ name }) => name).join(' '))}
}

_kv_options() {
  case $1 in
${commands.map(({ name, options: own }) => arm(name, dashed(own))).join('')}${arm('*', dashed(options))}  esac
}

# What the value of an option is; nothing for a flag.
_kv_value() {
  case $1 in
${options.map(({ dashed: name, value }) => (value === undefined ? '' : arm(name, shown(value)))).join('')}  esac
}

# What the word of a command at a place is.
_kv_operand() {
  case $1 in
${commands.flatMap(({ name, operands }) => operands.map((place, at) => operandArm(name, at, place))).join('')}  esac
}
${COMPLETING}`;
}

function arm(pattern: string, words: string): string {
  return `    ${pattern}) echo ${quoteForShell(words)} ;;\n`;
}

function operandArm(name: string, at: number, place: Place): string {
  return place.kind === 'anything' ? '' : arm(`${name}:${String(at)}`, shown(place));
}

function dashed(options: readonly CompletedOption[]): string {
  return options.map((option) => option.dashed).join(' ');
}

function shown(place: Place): string {
  return place.kind === 'words' ? place.words.join(' ') : `:${place.kind}`;
}

const COMPLETING = `
_kv() {
  local word words=() rest=\${COMP_LINE:0:COMP_POINT} i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((i == 0)) || [[ $rest == [[:space:]]* ]]; then
      rest=\${rest#"\${rest%%[![:space:]]*}"}
      words[\${#words[@]}]=''
    fi
    ((\${#word} <= \${#rest})) || word=$rest
    words[\${#words[@]}-1]+=$word
    rest=\${rest#"$word"}
  done
  local cur=\${words[\${#words[@]}-1]}
  # What bash does not want to hear again.
  local said=\${cur%"$word"}
  [[ $word == [:=]* ]] && said=$cur

  local command='' option='' dashes='' given=' ' place=0 target=()
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word=\${words[i]}
    if [[ -n $option ]]; then
      [[ $option == --address ]] && target=(--address "$word")
      option=''
    elif [[ -z $dashes && $word == -- ]]; then
      dashes=1
    elif [[ -z $dashes && $word == --*=* ]]; then
      [[ $word == --address=* ]] && target=("$word")
      given+="\${word%%=*} "
    elif [[ -z $dashes && $word == -* ]]; then
      [[ -n $(_kv_value "$word") ]] && option=$word
      given+="$word "
    elif [[ -z $command ]]; then
      command=$word
    else
      place=$((place + 1))
    fi
  done

  local found prefix=$cur
  if [[ -n $option ]]; then
    found=$(_kv_value "$option")
  elif [[ -z $dashes && $cur == --*=* ]]; then
    found=$(_kv_value "\${cur%%=*}")
    prefix=\${cur#*=}
  elif [[ -z $dashes && $cur == -* ]]; then
    found=$(_kv_options "$command")
  elif [[ -z $command ]]; then
    found=$(_kv_commands)
  else
    found=$(_kv_operand "$command:$place")
  fi

  COMPREPLY=()
  case $found in
    :files) compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$prefix")) ;;
    :keys) _kv_keys ;;
    :*) ;;
    *)
      for word in $found; do
        [[ $word == "$prefix"* && $given != *" $word "* ]] || continue
        word=\${cur%"$prefix"}$word
        COMPREPLY+=("\${word#"$said"}")
      done
      ;;
  esac
}

# Keys as the shell would have to be given them. Whatever goes wrong, nothing is said.
_kv_keys() {
  local plain key shown quote=''
  [[ $prefix == [\\"\\']* ]] && quote=\${prefix:0:1}
  # Without -r this takes away backslashes as the shell does.
  if [[ $quote == \\' ]]; then plain=\${prefix#?}; else IFS= read plain <<<"\${prefix#$quote}"; fi
  while IFS= read -r key; do
    [[ $key == "$plain"* ]] || continue
    if [[ -n $quote ]]; then
      [[ $key != *[\\"\\'\\\\\\$\\\`\\!]* ]] && COMPREPLY+=("$key")
    else
      printf -v shown %q "$key"
      [[ $shown == "$said"* ]] && COMPREPLY+=("\${shown#"$said"}")
    fi
  done < <("\${COMP_WORDS[0]}" completion keys \${target[@]+"\${target[@]}"} -- "$plain" 2>/dev/null)
}

complete -F _kv kv
`;
