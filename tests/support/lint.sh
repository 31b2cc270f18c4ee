#!/bin/sh
# lint.sh - the rules of the house that a program can check. `make lint` runs it.
#
# Each finding is one line, file:line: what. An exception stands in the source where it applies, as
# a comment on the same line that names the banned word:    free(block); /* lint: free */
# An exception that excepts nothing is a finding too.
set -u
export LC_ALL=C
build=${BUILD:-build}
tidy=${CLANG_TIDY:-clang-tidy}
compiler=${CC:-cc}
found=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$found" "$work"' EXIT

if [ -e .git ] && command -v git >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard >"$work/all"
else
    find . -path ./build -prune -o -path ./runs -prune -o -type f -print | sed 's,^\./,,' >"$work/all"
fi
while read -r f; do [ -f "$f" ] && echo "$f"; done <"$work/all" >"$work/files"
grep -E '^(src|include|tests)/.*\.[ch]$' "$work/files" >"$work/sources"

# ---- the top level is given ---------------------------------------------------------------------

awk '!/^(Makefile|LICENSE|README\.md|\.[^\/]*)$/ && !/^(src|include|experiments|tests|plots|papers|\.ci)\// {
    print $0 ": does not belong at the top level: see the design, section 1" }' "$work/files" >>"$found"

# ---- floors: a file includes from its own floor or from below -----------------------------------

cat >"$work/floors" <<'END'
core 1
kernels 2
tensor 3
graph 4
ops 5
nn 6
optim 6
data 6
formats 6
distill 7
deploy 7
experiment 8
cli 9
END
for header in include/retort/*.h; do
    floor=$(sed -n '1s/.*Floor \([0-9]\).*/\1/p' "$header")
    name=${header#include/}
    if [ -n "$floor" ]; then echo "$name $floor" >>"$work/floors"
    elif [ "$name" != retort/retort.h ]; then echo "$header:1: the first line does not say \"Floor N\"" >>"$found"
    fi
done
echo "retort/retort.h 9" >>"$work/floors"

grep -E '^(src|include)/' "$work/sources" | xargs awk -v floors="$work/floors" '
    BEGIN { while ((getline line < floors) > 0) { split(line, f, " "); floor[f[1]] = f[2] } }
    FNR == 1 {
        split(FILENAME, part, "/")
        key = part[1] == "src" ? part[2] : "retort/" part[3]
        own = floor[key]
        if (own == "") print FILENAME ":1: the folder " key " has no floor: add it to tests/support/lint.sh"
    }
    match($0, /^[ \t]*#[ \t]*include[ \t]*"[^"]*"/) {
        name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
        if (name ~ /\.inc$/) next
        if (part[1] == "include" && name !~ /^retort\//) {
            print FILENAME ":" FNR ": a public header includes the private " name; next
        }
        slash = index(name, "/")
        if (!slash) { print FILENAME ":" FNR ": include \"" name "\" with its folder"; next }
        key = name ~ /^retort\// ? name : substr(name, 1, slash - 1)
        if (floor[key] == "") print FILENAME ":" FNR ": \"" name "\" is on no floor"
        else if (floor[key] + 0 > own + 0 && FILENAME != "include/retort/retort.h")
            print FILENAME ":" FNR ": floor " own " includes \"" name "\" of floor " floor[key] " above it"
    }' >>"$found"

# ---- every public header compiles alone, in strict C11 ------------------------------------------

for header in include/retort/*.h; do
    echo "#include \"${header#include/}\"" >"$work/alone.c"
    $compiler -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -Iinclude -fsyntax-only "$work/alone.c" \
        >"$work/out" 2>&1 || { echo "$header:1: does not compile alone:"; head -5 "$work/out"; } >>"$found"
done

# ---- names: what the linker sees begins with rt_ or rti_, what a program sees with rt_ ----------

nm -g --defined-only "$build/float/libretort.a" 2>/dev/null |
    awk 'NF == 3 { sub(/^_/, "", $3); if ($3 !~ /^rti?_/) print "libretort.a: " $3 " needs the prefix rt_ or rti_, or static" }' >>"$found"
nm -D --defined-only "$build/float/libretort.so" 2>/dev/null |
    awk 'NF == 3 && $3 !~ /^rt_/ { print "libretort.so: shows " $3 ", which is not public" }' >>"$found"

# ---- banned words, lines, files -----------------------------------------------------------------

# A word in which one letter stands in brackets does not find itself.
unfinished='(^|[^A-Za-z])([T]ODO|[F]IXME|[X]XX|[H]ACK)([^A-Za-z]|$)'

# Comments and strings are blanked before words are looked for.
xargs awk -v unfinished="$unfinished" '
    function ban(list, why,    i, n, w) { n = split(list, w, " "); for (i = 1; i <= n; i++) reason[w[i]] = why }
    function finding(what) { print FILENAME ":" FNR ": " what }
    BEGIN {
        ban("strcpy strcat sprintf vsprintf gets strtok", "has no bound: use snprintf, memcpy or rti_text")
        ban("rand srand random drand48", "is not repeatable: use rt_rng")
        ban("atoi atol atof", "does not tell a number from junk: use strtol, strtod or rti_csv_number")
        ban("system popen", "starts a shell: use rti_program_run")
        ban("alloca setjmp longjmp tmpnam mktemp", "is not used here")
        library = "malloc calloc realloc free aligned_alloc posix_memalign strdup strndup"
        split(library, w, " "); for (i in w) allocator[w[i]] = 1
        printing = "printf fprintf vprintf vfprintf puts fputs putchar perror exit _exit abort"
        split(printing, w, " "); for (i in w) prints[w[i]] = 1
    }
    FNR == 1 { comment = 0; own = FILENAME ~ /^src\//; cli = FILENAME ~ /^src\/cli\//; tests = FILENAME ~ /^tests\// }
    {
        characters = $0; gsub(/[\200-\277]/, "", characters) # what continues a UTF-8 character
        if (length(characters) > 110) finding("longer than 110 columns")
        if (index($0, "\t")) finding("a tab")
        if ($0 ~ /[ \r]$/) finding("blanks at the end of the line")
        if ($0 ~ unfinished) finding("an unfinished corner: finish it")
        if (FNR == 601) finding("more than 600 lines: split the file by theme")

        line = $0; code = ""
        while (line != "") {
            if (comment) {
                at = index(line, "*/")
                if (!at) break
                line = substr(line, at + 2); comment = 0
            } else if (match(line, /\/\*|\/\/|"|\047/)) {
                code = code substr(line, 1, RSTART - 1)
                mark = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH)
                if (mark == "/*") { comment = 1; code = code " " }
                else if (mark == "//") { finding("a // comment: use /* */"); line = "" }
                else {
                    while (line != "" && substr(line, 1, 1) != mark)
                        line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
                    line = substr(line, 2); code = code " \"\" "
                }
            } else { code = code line; line = "" }
        }
        allowed = ""
        if (match($0, /\/\* lint: [a-z_0-9]+/)) allowed = substr($0, RSTART + 9, RLENGTH - 9)
        used = 0
        rest = code
        while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ ]*\(/)) {
            word = substr(rest, RSTART, RLENGTH); sub(/[ ]*\($/, "", word)
            before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : " "
            rest = substr(rest, RSTART + RLENGTH)
            if (before == "." || before == ">" || before ~ /[A-Za-z_0-9]/) continue
            why = ""
            if (word in reason && !(tests && word ~ /^(system|popen)$/)) why = reason[word]
            else if (own && word in allocator) why = "is not counted: use rt_alloc and rt_free"
            else if (own && !cli && word in prints) why = "prints or ends the program: only src/cli does"
            if (why == "") continue
            if (word == allowed) used = 1
            else finding(word " " why)
        }
        if (allowed != "" && !used) finding("the exception for " allowed " excepts nothing: remove it")
    }' <"$work/sources" >>"$found"

# Other texts that people read and edit.
grep -E '(^|/)(Makefile|run|[^/]*\.(sh|gp|toml|md))$' "$work/files" | grep -v '^papers/' |
    xargs awk -v unfinished="$unfinished" '
    /[ \t\r]$/ && FILENAME !~ /\.md$/ { print FILENAME ":" FNR ": blanks at the end of the line" }
    $0 ~ unfinished { print FILENAME ":" FNR ": an unfinished corner: finish it" }' >>"$found"

# ---- warnings are errors, and what an analyser sees ---------------------------------------------

case $build in /*) generated=$build/gen ;; *) generated=$PWD/$build/gen ;; esac
flags="-std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Iinclude -Isrc -I$generated -DRETORT_VERSION=\"0\""
flags="$flags -DRETORT_PREFIX=\"/\""
grep -E '^src/.*\.c$' "$work/sources" | grep -v -E '_(avx2|avx512|neon)\.c$' >"$work/plain"
processors=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)

run_each() { # one process for each file, one report
    echo "lint: $1"
    shift
    xargs -P "$processors" -n "$batch" "$@" <"$work/plain" >"$work/out" 2>&1 || true
    grep -E '(warning|error):' "$work/out" | sort -u >>"$found"
}

batch=16
run_each "warnings of $compiler" $compiler $flags -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
    -Wpointer-arith -Wvla -Wwrite-strings -Wformat -Wundef -fsyntax-only
if command -v "$tidy" >/dev/null 2>&1; then
    # The analyser sees one file at a time. So that it knows what rt_fail returns, it is told here.
    cat >"$work/analysis.h" <<'END'
#include "retort/status.h"
#define rt_fail(error, status, ...) ((void)rt_fail(error, status, __VA_ARGS__), (status))
#define rt_fail_in(error, status, ...) ((void)rt_fail_in(error, status, __VA_ARGS__), (status))
END
    printf '%s\n' "-I$PWD/include" "-I$PWD/src" $flags -include "$work/analysis.h" \
        >"$work/compile_flags.txt"
    # Again only what was compiled again since it was found to be clean.
    while read -r f; do
        stamp=$build/lint/$f.ok
        object=$build/float/${f%.c}.o
        [ "$f" = src/core/status.c ] && continue # defines rt_fail
        [ -e "$stamp" ] && [ ! .clang-tidy -nt "$stamp" ] && [ ! "$object" -nt "$stamp" ] && continue
        echo "$f"
    done <"$work/plain" >"$work/analysed"
    echo "lint: clang-tidy on $(wc -l <"$work/analysed" | tr -d ' ') files (see .clang-tidy)"
    cat >"$work/analyse" <<'END'
"$4" --quiet --config-file=.clang-tidy -p "$1" "$3" >"$1/tidy.$$" 2>/dev/null
if grep -E '(warning|error):' "$1/tidy.$$"; then exit 0; fi
mkdir -p "$2/lint/${3%/*}"
touch "$2/lint/$3.ok"
END
    xargs -P "$processors" -I '{}' sh "$work/analyse" "$work" "$build" '{}' "$tidy" <"$work/analysed" >"$work/out"
    sort -u "$work/out" >>"$found"
else
    echo "lint: clang-tidy is not installed, its part is skipped"
fi

# ---- what the compiler made of the kernels -------------------------------------------------------

sh tests/support/unrolled.sh "$build" >>"$found"

sed "s,^$PWD/,," "$found"
count=$(wc -l <"$found")
if [ "$count" -gt 0 ]; then
    echo "lint: $((count)) findings"
    exit 1
fi
echo "lint: $(wc -l <"$work/sources" | tr -d ' ') files, nothing found"
