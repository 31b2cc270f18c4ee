#!/bin/sh
# ratios.sh - the ratios of several results.csv side by side, as a table in Markdown.
#
#   tests/bench/ratios.sh NAME=FILE...      (tests/bench/ratios.sh "Zen 4=tests/bench/results.csv" ...)
#
# Each is what table.awk makes of that file: above 1 retort is faster than the peer, or takes less.
set -eu
here=$(dirname "$0")
for entry; do
    echo "file ${entry%%=*}"
    awk -f "$here/median.awk" -f "$here/table.awk" "${entry#*=}"
done | awk -F ' *[|] *' '
    /^file / { names[++files] = substr($0, 6) }
    /^[|] [a-z]/ && $3 ~ /^[0-9]$/ && $6 ~ /^[0-9]/ {
        peer = $4
        sub(/ [0-9].*/, "", peer)
        key = $2 " | " $3 " | " peer
        if (!(key in known)) { known[key] = 1; rows[++count] = key }
        ratio = $6
        sub(/ .*/, "", ratio)
        cell[key, files] = ratio
    }
    END {
        printf "| work | threads | peer |"
        for (f = 1; f <= files; f++) printf " %s |", names[f]
        printf "\n|---|---|---|"
        for (f = 1; f <= files; f++) printf "---:|"
        print ""
        for (i = 1; i <= count; i++) {
            printf "| %s |", rows[i]
            for (f = 1; f <= files; f++) printf " %s |", cell[rows[i], f]
            print ""
        }
    }'
