#!/bin/sh
# aarch64.sh - the library without our vector kernels: built for aarch64 and run under emulation.
#
#   tests/support/aarch64.sh BUILD_DIRECTORY RETORT
#
# RETORT is this machine's program. The gradients of all ops and methods must be right there, and a teacher and
# students trained there must have the bits of RETORT_ISA=portable here. Takes a few minutes. Needs a
# cross-compiler and qemu's user emulation (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user);
# without them it says so and is content.
set -eu
build=$1
retort=$2
cross=${CROSS:-aarch64-linux-gnu-gcc}
emulator=${EMULATOR:-qemu-aarch64}
for tool in "$cross" "$emulator"; do
    command -v "$tool" >/dev/null || { echo "aarch64: $tool is not installed, nothing is checked"; exit 0; }
done

make BUILD="$build" CC="${CACHE:-} $cross" LDFLAGS=-static all >"$build.log" 2>&1 || {
    tail -n 20 "$build.log"
    exit 1
}
"$emulator" "$build/retort-double" gradcheck | tail -n 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/spec.toml" <<'END'
name  = "small"
seeds = [1]
[data]
set        = "digits"
validation = 100
batch      = 50
[teacher]
model     = "mlp"
hidden    = [40]
epochs    = 2
optimizer = { name = "sgd", lr = 0.1, momentum = 0.9 }
[student]
model     = "mlp"
hidden    = [12]
dropout   = { input = 0.1, hidden = 0.1 }
epochs    = 2
optimizer = { name = "sgd", lr = 0.1, momentum = 0.9 }
[distill]
method      = "kd"
END
weights() { sed -n 's/.*"weights_last":"\([0-9a-f]*\)".*/\1/p' "$work/$1"/small/*/result.json | sort; }
"$emulator" "$build/retort" run "$work/spec.toml" --runs "$work/there" --no-plots --workers 1 >/dev/null 2>&1
RETORT_ISA=portable "$retort" run "$work/spec.toml" --runs "$work/here" --no-plots --workers 1 >/dev/null 2>&1
[ "$(weights there | wc -l)" -eq 3 ] && [ "$(weights there)" = "$(weights here)" ] || {
    echo "aarch64: the weights differ from those of RETORT_ISA=portable here"
    exit 1
}
echo "aarch64: teacher, scratch and student have the bits of the portable kernels here"
