/* command.h - one sub-command, one file.                               Floor 9 (cli)
 *
 * A command is a descriptor `rti_command_<name>` in src/cli/<name>.c and the line
 * RTI_REGISTER(command, <name>). Dropping the file in is all: it then appears in `retort --help` and
 * in the nearest-name search. Only this floor prints or exits.
 *
 *     static int run(int argc, char **argv) {      argv[0] is the command's name, argv[argc] is NULL
 *         if (argc != 2) return rti_usage(&rti_command_eval, "eval needs one file.");
 *         rt_error error = {0};
 *         if (...) return rti_complain(&error);
 *         return RTI_EXIT_DONE;
 *     }
 *     const rti_command rti_command_eval = {.name = "eval", .line = "...", .usage = "...", .run = run};
 *     RTI_REGISTER(command, eval)
 *
 * `--help` and `-h` behind the command's name never reach run. Results go to standard output,
 * everything else to standard error. */
#ifndef RTI_COMMAND_H
#define RTI_COMMAND_H

#include "retort/status.h"

#ifndef RTI_REGISTER
#define RTI_REGISTER(kind, name)
#endif

/* What the program says to its caller. */
enum {
    RTI_EXIT_DONE = 0,
    RTI_EXIT_FAILED = 1,
    RTI_EXIT_USAGE = 2,
    RTI_EXIT_STOPPED = 75 /* by a signal, everything saved: run again to continue */
};

typedef struct rti_command {
    const char *name;   /* "gradcheck" */
    const char *line;   /* what it does, one line, no full stop */
    const char
        *usage; /* "usage: retort gradcheck [op ...]\n\n...": options, then an example; ends in a newline */
    int (*run)(int argc, char **argv);
} rti_command;

extern const rti_command *const rti_all_commands[]; /* alphabetical, NULL-terminated */
const rti_command *rti_command_find(const char *name); /* NULL when there is none */

/* "retort eval: message", then where the usage is, to standard error; returns RTI_EXIT_USAGE. */
int rti_usage(const rti_command *command, const char *format, ...) RT_PRINTF(2, 3);

/* The error's message to standard error; returns the exit code that goes with its status. */
int rti_complain(const rt_error *error);

/* The program itself, as it was started: for commands that start it again. */
extern const char *rti_program_name;

/* rti_clock_s at the first line of main. */
extern double rti_program_started_s;

#endif
