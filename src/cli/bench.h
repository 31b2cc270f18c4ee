/* bench.h - parts of `retort bench` in files of their own.             Floor 9 (cli) */
#ifndef RTI_CLI_BENCH_H
#define RTI_CLI_BENCH_H

#include "cli/command.h"

/* `retort bench step [options]`; argv as the command has it. */
int rti_bench_step(const rti_command *self, int argc, char **argv);

#endif
