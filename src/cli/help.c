/* help.c - retort help: all about one name.                            Floor 9 (cli)
 *
 * A name may mean several things (linear is a schedule and an op): all are shown. */
#include <stdio.h>
#include <string.h>

#include "cli/catalogue.h"
#include "cli/command.h"
#include "experiment/experiment.h"
#include "retort/data.h"
#include "retort/optim.h"

extern const rti_command rti_command_help;

#define NAMES_MAX 512

static int found; /* things shown so far */

static void begin(void) {
    if (found++) puts("\n----\n");
}

/* ---- what can be asked for ---- */

static void show_items(const char *topic) {
    for (const rti_shelf *s = rti_shelves; s->name; s++)
        for (int i = 0; i < s->count(); i++) {
            if (strcmp(s->item(i), topic) != 0) continue;
            begin();
            s->print(i);
        }
}

/* "data" and "optimizer": options that are in a spec whatever the kind. */
static void show_sections(const char *topic) {
    int count;
    if (strcmp(topic, "data") == 0) {
        const rt_param *rows = rt_data_rows(&count);
        begin();
        puts("[data] - the data of an experiment\n");
        rti_print_rows(rows, count);
    }
    if (strcmp(topic, "optimizer") == 0) {
        const rt_param *rows = rt_optimizer_common_rows(&count);
        begin();
        puts("optimizer = { ... } - in [teacher] and [student]; retort help sgd shows one kind\n");
        rti_print_rows(rows, count);
    }
}

static const char spec_text[] =
    "a spec - a TOML file that says what to train\n"
    "\n"
    "  name = \"demo\"      the directory below runs/\n"
    "  seeds = [1, 2, 3]  one student for each: initial weights, order of the data, dropout\n"
    "  trials = \"paper\"    the directory below runs/ where its trials lie, when several specs share\n"
    "                     trials: the same teacher is trained once for all that name it\n"
    "  [data]             retort help data\n"
    "  [teacher]          retort help teacher; may be left out when no method needs one\n"
    "  [student]          retort help student\n"
    "  [assistant.1] ...  retort help assistant; between teacher and student\n"
    "  [distill]          retort help distill\n"
    "  [sweep]            \"section.key\" = [value, value, ...]: one axis of the grid; lists of lists too,\n"
    "                     \"student.hidden\" = [[800, 800], [30, 30]]\n"
    "  [compare]          in place of [distill] and [sweep]: retort help compare\n"
    "\n"
    "Required: name, set in [data], epochs in [student], [assistant.N] and, unless it comes from a file,\n"
    "[teacher].";

static const char compare_text[] =
    "[compare] - methods in a league table, on the same data order, initial weights, budget and seeds\n"
    "\n"
    "  [compare]\n"
    "  tune = { epochs = 10, seeds = [101] }   how the points of grids are tried, the same for every row;\n"
    "                                          left out: every point is trained with all seeds\n"
    "  [compare.kd]                            a row for each method; its keys are those of [distill]\n"
    "  temperature = [2, 4]                    a list is a grid: one point is chosen, on validation\n"
    "  [compare.\"kd+at\"]                       a sum of methods, labels counted once\n"
    "  \"kd.alpha\" = 0.9                        options of its parts\n"
    "  [compare.kd-hinton]                     any other name is a label and needs the method\n"
    "  method = \"kd\"\n"
    "  preset = \"hinton\"\n"
    "  \"teacher.stop_epoch\" = [10, 20]         the teacher of this row may differ; nothing else may\n"
    "\n"
    "A row whose method is undefined for the two networks is left out and says why (retort run --strict: an\n"
    "error). The student that learns from the labels alone is in every comparison.";

static void show_network_section(const char *topic) {
    int count;
    const rt_param *rows = rti_training_rows(&count);
    begin();
    if (strcmp(topic, "assistant") == 0)
        puts("[assistant.1], [assistant.2], ... - each learns from the one before, the first from the\n"
             "teacher; the student from the last. With [compare] only in rows with schedule = \"takd\".\n");
    else printf("[%s] - a network and how it is trained\n\n", topic);
    rti_print_rows(rows, count);
    rows = strcmp(topic, "teacher") == 0 ? rti_teacher_rows(&count) : rti_assistant_rows(&count);
    if (strcmp(topic, "student") != 0) rti_print_rows(rows, count);
    puts("\nThe options of its model: retort help mlp. optimizer = { ... }: retort help optimizer.");
}

/* "spec" and the sections that hold what the runner itself understands. */
static void show_spec(const char *topic) {
    if (strcmp(topic, "spec") == 0 || strcmp(topic, "sweep") == 0) {
        begin();
        puts(spec_text);
    }
    if (strcmp(topic, "compare") == 0) {
        begin();
        puts(compare_text);
    }
    if (strcmp(topic, "teacher") == 0 || strcmp(topic, "student") == 0 || strcmp(topic, "assistant") == 0)
        show_network_section(topic);
    if (strcmp(topic, "distill") == 0) {
        int count;
        const rt_param *rows = rti_distill_rows(&count);
        begin();
        puts("[distill] - how the student learns\n");
        rti_print_rows(rows, count);
        puts("\nThe options of the method: retort help kd. A preset sets them as somebody published them.");
    }
}

static void show_command(const char *topic) {
    const rti_command *command = rti_command_find(topic);
    if (!command) return;
    begin();
    printf("retort %s - %s\n\n%s", command->name, command->line, command->usage);
}

/* One option, and whose it is. */
static void show_option_in(const char *topic, const char *whose, const char *owner, const rt_param *rows,
                           int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(rows[i].name, topic) != 0) continue;
        begin();
        printf("%s - option of the %s %s\n\n", topic, whose, owner);
        rti_print_rows(&rows[i], 1);
    }
}

static void show_options(const char *topic) {
    int count;
    for (const rti_shelf *s = rti_shelves; s->name; s++) {
        for (int i = 0; s->rows && i < s->count(); i++) {
            const rt_param *rows = s->rows(i, &count);
            show_option_in(topic, s->one, s->item(i), rows, count);
        }
    }
    const rt_param *rows = rt_optimizer_common_rows(&count);
    show_option_in(topic, "section", "optimizer", rows, count);
    rows = rt_data_rows(&count);
    show_option_in(topic, "section", "[data]", rows, count);
    rows = rti_training_rows(&count);
    show_option_in(topic, "sections", "[teacher], [assistant.N] and [student]", rows, count);
    rows = rti_teacher_rows(&count);
    show_option_in(topic, "section", "[teacher]", rows, count);
    rows = rti_distill_rows(&count);
    show_option_in(topic, "section", "[distill]", rows, count);
}

/* ---- what cannot ---- */

static void add_name(const char *names[], int *count, const char *name) {
    if (*count < NAMES_MAX) names[(*count)++] = name;
}

static int unknown(const char *topic) {
    const char *names[NAMES_MAX];
    int count = 0, rows_count;
    for (const rti_shelf *s = rti_shelves; s->name; s++)
        for (int i = 0; i < s->count(); i++) {
            add_name(names, &count, s->item(i));
            const rt_param *rows = s->rows ? s->rows(i, &rows_count) : NULL;
            for (int k = 0; rows && k < rows_count; k++) add_name(names, &count, rows[k].name);
        }
    for (int i = 0; rti_all_commands[i]; i++) add_name(names, &count, rti_all_commands[i]->name);
    const rt_param *rows = rt_optimizer_rows(&rows_count);
    for (int k = 0; k < rows_count; k++) add_name(names, &count, rows[k].name);
    const char *near = rt_nearest_word(topic, names, count);
    if (near)
        return rti_usage(&rti_command_help, "there is nothing called \"%s\"; did you mean \"%s\"?", topic,
                         near);
    return rti_usage(&rti_command_help, "there is nothing called \"%s\"; see retort list.", topic);
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        fputs(rti_command_help.usage, stdout);
        puts("\ncommands");
        for (int i = 0; rti_all_commands[i]; i++)
            printf("  %-10s %s\n", rti_all_commands[i]->name, rti_all_commands[i]->line);
        return RTI_EXIT_DONE;
    }
    for (int a = 1; a < argc; a++) {
        int before = found;
        show_sections(argv[a]);
        show_spec(argv[a]);
        show_items(argv[a]);
        show_command(argv[a]);
        if (found == before) show_options(argv[a]);
        if (found == before) return unknown(argv[a]);
    }
    return RTI_EXIT_DONE;
}

const rti_command rti_command_help = {
    .name = "help",
    .line = "says all about a method, optimiser, model, data set, op, option or command",
    .usage =
        "usage: retort help [NAME ...]\n"
        "\n"
        "Says all about what has that name: a method (loss, contract, options with ranges and defaults,\n"
        "presets, source), a preset, an optimiser, a schedule, a model, a data set, an op, a spec and its\n"
        "sections (spec, data, teacher, assistant, student, optimizer, distill, compare), a command, or an\n"
        "option by itself. retort list shows the names.\n"
        "\n"
        "example: retort help kd\n",
    .run = run,
};
RTI_REGISTER(command, help)
