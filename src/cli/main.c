/* main.c - the program: finds the command and runs it.                 Floor 9 (cli) */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "core/clock.h"
#include "kernels/dispatch.h"
#include "retort/params.h"

#define X(name) extern const rti_command rti_command_##name;
#include "command.inc"
#undef X

const rti_command *const rti_all_commands[] = {
#define X(name) &rti_command_##name,
#include "command.inc"
#undef X
    NULL,
};

const char *rti_program_name = "retort";
double rti_program_started_s;

const rti_command *rti_command_find(const char *name) {
    for (int i = 0; rti_all_commands[i]; i++)
        if (strcmp(rti_all_commands[i]->name, name) == 0) return rti_all_commands[i];
    return NULL;
}

int rti_usage(const rti_command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "retort %s: ", command->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nTry: retort %s --help\n", command->name);
    va_end(arguments);
    return RTI_EXIT_USAGE;
}

int rti_complain(const rt_error *error) {
    fprintf(stderr, "retort: %s\n", error->message[0] ? error->message : rt_status_meaning(error->status));
    return error->status == RT_STOPPED ? RTI_EXIT_STOPPED : RTI_EXIT_FAILED;
}

static void print_overview(FILE *out) {
    fputs("retort " RETORT_VERSION " - knowledge distillation from scratch\n\n"
          "usage: retort COMMAND [ARGUMENTS]\n\n", out);
    for (int i = 0; rti_all_commands[i]; i++)
        fprintf(out, "  %-11s %s\n", rti_all_commands[i]->name, rti_all_commands[i]->line);
    fputs("\nretort COMMAND --help says more about a command, retort help TOPIC about a method, an\n"
          "optimiser, a model, an op.\n\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage, 75 stopped by a signal with everything saved.\n",
          out);
}

static int unknown_command(const char *name) {
    static const char *const names[] = {
#define X(word) #word,
#include "command.inc"
#undef X
    };
    const char *near = rt_nearest_word(name, names, (int)(sizeof names / sizeof names[0]));
    fprintf(stderr, "retort: there is no command \"%s\"", name);
    if (near) fprintf(stderr, "; did you mean \"%s\"?\n", near);
    else fputs(".\nTry: retort --help\n", stderr);
    return RTI_EXIT_USAGE;
}

static bool is_help(const char *word) { return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0; }

/* A full disk must not pass for success. */
static int finish(int status) {
    bool failed = ferror(stdout) != 0;
    failed = fflush(stdout) != 0 || failed;
    if (!failed || status != RTI_EXIT_DONE) return status;
    fputs("retort: standard output cannot be written.\n", stderr);
    return RTI_EXIT_FAILED;
}

/* A misspelt choice of kernels would otherwise measure something else than was meant. */
static bool isa_is_possible(void) {
    const char *wanted = getenv("RETORT_ISA");
    if (!wanted || rti_kernels_named(wanted)) return true;
    fprintf(stderr, "retort: RETORT_ISA=%s is not possible here; leave it out or set it to portable (this "
                    "processor's best: %s)\n", wanted, rti_isa_name());
    return false;
}

int main(int argc, char **argv) {
    rti_program_started_s = rti_clock_s();
    if (!isa_is_possible()) return RTI_EXIT_USAGE;
    if (argc > 0) rti_program_name = argv[0];
    if (argc < 2) {
        print_overview(stderr);
        return RTI_EXIT_USAGE;
    }
    if (is_help(argv[1])) {
        print_overview(stdout);
        return finish(RTI_EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("retort " RETORT_VERSION);
        return finish(RTI_EXIT_DONE);
    }
    const rti_command *command = rti_command_find(argv[1]);
    if (!command) return unknown_command(argv[1]);
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (!is_help(argv[i])) continue;
        fputs(command->usage, stdout);
        return finish(RTI_EXIT_DONE);
    }
    return finish(command->run(argc - 1, argv + 1));
}
