/* list.c - retort list: what there is.                                 Floor 9 (cli) */
#include <stdio.h>
#include <string.h>

#include "cli/catalogue.h"
#include "cli/command.h"

extern const rti_command rti_command_list;

static void print_shelf(const rti_shelf *shelf) {
    int width = 0, count = shelf->count();
    for (int i = 0; i < count; i++)
        if ((int)strlen(shelf->item(i)) > width) width = (int)strlen(shelf->item(i));
    printf("%s\n", shelf->name);
    for (int i = 0; i < count; i++) {
        const char *line = shelf->line(i);
        printf("  %-*s  %.*s\n", width, shelf->item(i), (int)strcspn(line, "\n"), line);
    }
}

static int unknown(const char *name) {
    const char *names[16];
    int count = 0;
    for (; count < 16 && rti_shelves[count].name; count++) names[count] = rti_shelves[count].name;
    const char *near = rt_nearest_word(name, names, count);
    if (near)
        return rti_usage(&rti_command_list, "there is no list of \"%s\"; did you mean \"%s\"?", name, near);
    return rti_usage(&rti_command_list, "there is no list of \"%s\".", name);
}

static int run(int argc, char **argv) {
    for (int a = 1; a < argc; a++) {
        bool known = false;
        for (int i = 0; rti_shelves[i].name; i++) known |= strcmp(rti_shelves[i].name, argv[a]) == 0;
        if (!known) return unknown(argv[a]);
    }
    bool first = true;
    for (int i = 0; rti_shelves[i].name; i++) {
        bool wanted = argc == 1;
        for (int a = 1; a < argc; a++) wanted |= strcmp(rti_shelves[i].name, argv[a]) == 0;
        if (!wanted) continue;
        if (!first) putchar('\n');
        print_shelf(&rti_shelves[i]);
        first = false;
    }
    return RTI_EXIT_DONE;
}

const rti_command rti_command_list = {
    .name = "list",
    .line = "lists methods, presets, optimisers, schedules, models, data sets, ops",
    .usage =
        "usage: retort list [methods|presets|optimizers|schedules|models|datasets|ops ...]\n"
        "\n"
        "Lists what there is, with one line about each; without a word, everything. retort help NAME says\n"
        "all about one of them.\n"
        "\n"
        "example: retort list methods presets\n",
    .run = run,
};
RTI_REGISTER(command, list)
