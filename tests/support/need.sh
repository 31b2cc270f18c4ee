#!/bin/sh
# need.sh - sees to it that something retort uses, but does not contain, is on this machine.
#
#   sh tests/support/need.sh criterion|gnuplot
#
# When it is there, says nothing and returns 0. Otherwise it installs it through the first package
# manager it finds (apt-get, dnf, pacman, zypper, apk, brew), prints each command before it runs
# it, and uses sudo only when not root. Where that is not possible it says what to install and
# returns 1. RETORT_NO_INSTALL=1 forbids to install anything.
set -u

what=${1:-}
compiler=${CC:-cc}

present() {
    case $what in
    gnuplot) command -v gnuplot >/dev/null 2>&1 ;;
    criterion)
        directory=$(mktemp -d) || return 1
        printf '#include <criterion/criterion.h>\nTest(a, b) { cr_assert(1); }\n' >"$directory/a.c"
        # Unquoted on purpose: compiler and flags are words.
        $compiler $(sh "$0" criterion-cflags) "$directory/a.c" -o "$directory/a" $(sh "$0" criterion-libs) \
            >/dev/null 2>&1
        result=$?
        rm -rf "$directory"
        return $result
        ;;
    esac
}

# Where Homebrew keeps things the compiler does not look by itself.
brew_prefix() { command -v brew >/dev/null 2>&1 && brew --prefix 2>/dev/null; }

case $what in
criterion-cflags)
    pkg-config --cflags criterion 2>/dev/null || { prefix=$(brew_prefix) && echo "-I$prefix/include"; }
    exit 0
    ;;
criterion-libs)
    pkg-config --libs criterion 2>/dev/null || { prefix=$(brew_prefix) && echo "-L$prefix/lib -lcriterion"; } ||
        echo "-lcriterion"
    exit 0
    ;;
criterion | gnuplot) ;;
*)
    echo "usage: sh tests/support/need.sh criterion|gnuplot" >&2
    exit 2
    ;;
esac

present && exit 0

manager=
for candidate in apt-get dnf pacman zypper apk brew; do
    if command -v $candidate >/dev/null 2>&1; then
        manager=$candidate
        break
    fi
done

# The names under which it is known there, to be tried in this order.
case $manager-$what in
apt-get-criterion) packages="libcriterion-dev" ;;
apt-get-gnuplot) packages="gnuplot-nox gnuplot" ;;
dnf-criterion) packages="criterion-devel libcriterion-devel" ;;
zypper-criterion) packages="criterion-devel" ;;
apk-criterion) packages="criterion-dev criterion" ;;
*) packages=$what ;;
esac

give_up() {
    echo "$what is missing and was not installed: $1" >&2
    if [ "$what" = criterion ]; then
        echo "Install Criterion with its headers (${packages%% *}), or see https://github.com/Snaipe/Criterion," >&2
        echo "then run the same command again." >&2
    else
        echo "Install ${packages%% *}, then run the same command again." >&2
    fi
    exit 1
}

[ -n "$manager" ] || give_up "none of apt-get, dnf, pacman, zypper, apk, brew is here."
[ "${RETORT_NO_INSTALL:-}" = "" ] || give_up "RETORT_NO_INSTALL is set."

become=
if [ "$manager" != brew ] && [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || give_up "that needs root, and there is no sudo."
    become="sudo"
    (: </dev/tty) 2>/dev/null || become="sudo -n" # nobody there to type a password
fi

run() {
    echo "+ $*"
    "$@"
}

install_package() {
    case $manager in
    apt-get)
        # Lists that are missing or old: fetch them, once, when the package is unknown.
        if ! apt-cache show "$1" >/dev/null 2>&1; then run $become apt-get update; fi
        run $become env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" ||
            { run $become apt-get update &&
                run $become env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"; }
        ;;
    dnf) run $become dnf install -y "$1" ;;
    pacman) run $become pacman -S --needed --noconfirm "$1" || run $become pacman -Sy --needed --noconfirm "$1" ;;
    zypper) run $become zypper --non-interactive install "$1" ;;
    apk) run $become apk add "$1" || run $become apk add --update-cache "$1" ;;
    brew) run brew install "$1" ;;
    esac
}

echo "$what is missing; $manager can install it."
for package in $packages; do
    if install_package "$package" && present; then exit 0; fi
done
give_up "$manager did not manage to."
