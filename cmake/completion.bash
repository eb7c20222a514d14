# SPDX-License-Identifier: Apache-2.0
# Completion of optinc in bash: subcommands, options and their choices as --help tells them.
_optinc() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} program=${COMP_WORDS[0]} words
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        words=$("$program" --help 2>/dev/null | awk '/^Subcommands:/ {on = 1; next} on && !NF {exit} on {print $1}')
        mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$current")
        return
    fi
    words=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null)
    if [[ $current == -* ]]; then
        words=$(awk '/^  -/ {for (i = 1; i <= NF; i++) if ($i ~ /^--/) print $i}' <<<"$words")
    else # the choices of the option before: "  --method constructed|trained"
        words=$(awk -v option="$previous" '/^  -/ && index($0, "|") {
            for (i = 1; i < NF; i++) {name = $i; sub(/,$/, "", name); if (name == option) {gsub(/\|/, " ", $NF); print $NF}}
        }' <<<"$words")
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _optinc optinc
