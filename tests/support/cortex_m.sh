#!/bin/sh
# cortex_m.sh - an exported network on a Cortex-M4, in an emulator.
#
#     sh tests/support/cortex_m.sh DIRECTORY IMAGES > figures
#
# DIRECTORY holds student.h and student.c of `retort export --to c -o student`, IMAGES raw examples one behind the
# other. Compiles with arm-none-eabi-gcc, runs under qemu-system-arm (board mps2-an386), and prints a line of
# logits for each example (of float: their bits), then
#
#     flash BYTES         code and constants of the network
#     ram BYTES           scratch, and the stack that its functions use one in another
#     instructions COUNT  for each example, mean: the emulator counts them, the board's timer in steps of 40
#
# Ends with 77 when compiler or emulator are missing.
set -eu
directory=$1 images=$2
command -v arm-none-eabi-gcc >/dev/null 2>&1 || exit 77
command -v qemu-system-arm >/dev/null 2>&1 || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
raw=$(sed -n 's/^void student_logits(const \([a-z0-9_]*\) .*/\1/p' "$directory/student.h")
cell=$(sed -n 's/^void student_logits(.*, \([a-z0-9_]*\) scratch.*/\1/p' "$directory/student.h")
logit=$(sed -n 's/^void student_logits(.*, \([a-z0-9_]*\) logits.*/\1/p' "$directory/student.h")

cat >"$work/memory.ld" <<'END'
MEMORY { flash (rx) : ORIGIN = 0x00000000, LENGTH = 4M  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 4M }
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > flash
    .ARM.exidx : { *(.ARM.exidx*) } > flash
    .data : { *(.data*) } > ram
    .bss : { *(.bss*) *(COMMON) } > ram
}
END

cat >"$work/start.c" <<END
#include <stdint.h>
#include "student.h"

__asm__(".section .rodata.images\n.balign 4\n.global images\nimages: .incbin \"$images\"\n"
        ".global images_end\nimages_end: .word 0\n.text\n");
extern const unsigned char images[], images_end[];
static $cell scratch[STUDENT_SCRATCH];

/* A call to the host: semihosting. */
static void host(int what, const void *argument) {
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void say(int32_t value, char end) {
    char text[16];
    int at = 15;
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    text[at--] = 0;
    text[at--] = end;
    do text[at--] = (char)('0' + rest % 10); while (rest /= 10);
    if (value < 0) text[at--] = '-';
    host(4, text + at + 1);
}

#define TIMER ((volatile uint32_t *)0xE000E010)

void start(void) {
    static union { $logit real; int32_t bits; } logits[STUDENT_CLASSES];
    const $raw *x = (const $raw *)images;
    uint64_t ticks = 0;
    uint32_t count = 0;
    TIMER[1] = 0xFFFFFF;
    TIMER[2] = 0;
    TIMER[0] = 5;
    for (; (const unsigned char *)(x + STUDENT_INPUTS) <= images_end; x += STUDENT_INPUTS, count++) {
        const uint32_t before = TIMER[2];
        student_logits(x, scratch, &logits[0].real);
        ticks += (before - TIMER[2]) & 0xFFFFFF;
        for (int k = 0; k < STUDENT_CLASSES; k++) say(logits[k].bits, k + 1 < STUDENT_CLASSES ? ' ' : '\n');
    }
    host(4, "ticks ");
    say((int32_t)(ticks / (count ? count : 1)), '\n');
    host(0x18, (void *)0x20026);
    for (;;) {}
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {(void *)0x20400000, (void *)start};
END

set -- -std=c99 -mcpu=cortex-m4 -mthumb -O2 -fstack-usage -I"$directory"
(cd "$work" && arm-none-eabi-gcc "$@" -Wall -Wextra -Wconversion -Wpedantic -Werror -c "$directory/student.c" -o student.o &&
    arm-none-eabi-gcc -std=gnu99 -mcpu=cortex-m4 -mthumb -O2 -I"$directory" -c start.c -o start.o &&
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -nostartfiles --specs=nosys.specs -T memory.ld start.o student.o \
        -o student.elf -lm)
timeout 300 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -icount shift=0 \
    -chardev "file,id=said,path=$work/said" -semihosting-config enable=on,target=native,chardev=said \
    -kernel "$work/student.elf" >"$work/why" 2>&1 </dev/null ||
    { cat "$work/why" >&2; exit 1; }
grep -v ticks "$work/said"
size=$(arm-none-eabi-size "$work/student.o" | awk 'NR == 2 { print $1 + $2 }')
# one function calls the next: the two or three deepest frames are alive together
stack=$(sort -t "$(printf '\t')" -k2 -rn "$work/student.su" | awk -F '\t' 'NR <= 3 { s += $2 } END { print s }')
cells=$(sed -n 's/^#define STUDENT_SCRATCH \([0-9]*\).*/\1/p' "$directory/student.h")
[ "$cell" = int8_t ] || cells=$((cells * 4))
echo "flash $size"
echo "ram $((cells + stack))"
awk '/ticks/ { print "instructions " $2 * 40 }' "$work/said"
