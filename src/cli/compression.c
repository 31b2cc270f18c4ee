/* compression.c - see compression.h.                                   Floor 9 (cli) */
#include "cli/compression.h"

#include <stdio.h>
#include <string.h>

#include "cli/opening.h"
#include "cli/target.h"
#include "experiment/compression.h"
#include "retort/alloc.h"

typedef struct arguments {
    int teacher_count, student_count;
    const char *teachers[RTI_TEACHERS_MAX], *students[RTI_COMPRESSION_MAX];
    const char *data, *csv, *json;
    const char *overrides[RTI_OVERRIDES_MAX];
    int override_count;
    bool best;
} arguments;

typedef struct work {
    const arguments *a;
    rti_target target; /* of the network at hand */
    rt_params data;
    bool data_known;
    rt_dataset *set;
    rt_combine combine;
    int member_count;
    rt_model *members[RTI_TEACHERS_MAX];
    rt_teacher *teacher;
    rti_compression result;
} work;

bool rti_wants_compression(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--compression")) return true;
    return false;
}

/* ---- what is asked for ---- */

static const char *take(arguments *a, int argc, char **argv, int *i) {
    const char *problem = NULL, *value;
    if (!strcmp(argv[*i], "--compression")) return NULL;
    if ((value = rti_option_value("--teacher", argc, argv, i, &problem))) {
        if (a->teacher_count == RTI_TEACHERS_MAX)
            problem = "at most 32 times --teacher:";
        else
            a->teachers[a->teacher_count++] = value;
    } else if ((value = rti_option_value("--data", argc, argv, i, &problem)))
        a->data = value;
    else if ((value = rti_option_value("--csv", argc, argv, i, &problem)))
        a->csv = value;
    else if ((value = rti_option_value("--json", argc, argv, i, &problem)))
        a->json = value;
    else if ((value = rti_option_value("--set", argc, argv, i, &problem))) {
        if (a->override_count == RTI_OVERRIDES_MAX)
            problem = "at most 64 times --set:";
        else
            a->overrides[a->override_count++] = value;
    } else if (!strcmp(argv[*i], "--best"))
        a->best = true;
    else if (argv[*i][0] == '-' && argv[*i][1])
        problem = "--compression has no option";
    else if (a->student_count == RTI_COMPRESSION_MAX)
        problem = "at most 32 students; too many with";
    else
        a->students[a->student_count++] = argv[*i];
    return problem;
}

/* TEACHER STUDENT...: the first one teaches, unless --teacher says who does. A lone student is taught by
 * the teachers of its trial. */
static void sort_out(arguments *a) {
    if (a->teacher_count || a->student_count < 2) return;
    a->teachers[a->teacher_count++] = a->students[0];
    memmove(a->students, a->students + 1, (size_t)--a->student_count * sizeof a->students[0]);
}

/* ---- opening ---- */

/* The data of the first target that has some, or those that were named. */
static rt_status note_data(work *w, rt_error *error) {
    if (w->data_known || (!w->target.directory[0] && !w->a->data)) return RT_OK;
    RT_TRY(rti_target_data(&w->target, w->a->data, w->a->overrides, w->a->override_count, &w->data, error));
    w->data_known = true;
    return RT_OK;
}

static rt_status find(work *w, const char *name, rt_error *error) {
    rti_target_deinit(&w->target);
    return rti_target_find(&w->target, name, w->a->best, error);
}

static rt_status open_teachers(work *w, rt_error *error) {
    const arguments *a = w->a;
    for (int i = 0; i < a->teacher_count; i++) {
        RT_TRY(find(w, a->teachers[i], error));
        if (i == 0) w->combine = rti_target_combine(&w->target);
        rt_model *model = rt_model_open(w->target.weights, error);
        if (!model) return error->status;
        w->members[w->member_count++] = model;
    }
    for (int i = 0; i < a->student_count; i++) { /* a student's trial knows what it was trained for */
        RT_TRY(find(w, a->students[i], error));
        RT_TRY(note_data(w, error));
        if (w->member_count || i) continue;
        w->combine = rti_target_combine(&w->target);
        RT_TRY(rti_target_teachers(&w->target, w->members, &w->member_count, error));
    }
    if (!w->data_known && a->teacher_count) {
        RT_TRY(find(w, a->teachers[0], error));
        RT_TRY(note_data(w, error));
    }
    if (!w->data_known)
        return rt_fail(error, RT_VALUE, "%s: on which data? For example --data mnist", a->students[0]);
    if (!w->member_count)
        return rt_fail(error, RT_VALUE,
                       "%s: compared with which teacher? Name it first: retort report --compression TEACHER "
                       "STUDENT",
                       a->students[0]);
    return RT_OK;
}

/* ---- measuring ---- */

static rt_status add_teacher(work *w, const rt_part *part, rt_error *error) {
    rti_compression_entry *entry = &w->result.entry[w->result.count++];
    const arguments *a = w->a;
    char source[RTI_PATH_MAX + 32];
    snprintf(source, sizeof source, "%s%s", a->teacher_count ? a->teachers[0] : "as ",
             a->teacher_count > 1 ? ", ..."
             : a->teacher_count   ? ""
                                  : "its manifest names it");
    rti_label_plain(source, entry->source, sizeof entry->source);
    w->result.has_teacher = true;
    w->teacher = rt_teacher_new(w->members, w->member_count, w->combine, error);
    if (!w->teacher) return error->status;
    return rti_compression_measure(entry, w->member_count > 1 ? "teachers" : "teacher", w->members,
                                   w->member_count, w->combine, NULL, part, error);
}

static rt_status add_student(work *w, int number, const rt_part *part, rt_error *error) {
    rti_compression_entry *entry = &w->result.entry[w->result.count++];
    char name[32] = "student";
    RT_TRY(find(w, w->a->students[number], error));
    rt_model *model = rt_model_open(w->target.weights, error);
    if (!model) return error->status;
    if (w->a->student_count > 1) snprintf(name, sizeof name, "student %d", number + 1);
    rti_label_plain(w->a->students[number], entry->source, sizeof entry->source);
    rt_status status = rti_compression_measure(entry, name, &model, 1, RT_COMBINE_LOGITS, w->teacher, part,
                                               error);
    rt_model_free(model);
    return status == RT_OK ? RT_OK : rt_fail_in(error, status, "%s", w->a->students[number]);
}

static void print(const work *w) {
    rti_text text = RTI_TEXT_EMPTY;
    rti_text_printf(&text, "%s\n", rt_dataset_summary(w->set));
    for (int i = 0; i < w->result.count; i++) {
        const rti_compression_entry *e = &w->result.entry[i];
        rti_text_printf(&text, "%-10s  %s  (%s)\n", e->name, e->network, e->source);
    }
    rti_text_append(&text, "\n");
    rti_table table = rti_table_compression(&w->result);
    rti_table_print(&text, &table, 2);
    rti_text_append(&text, "\n");
    rti_compression_notes(&text, &w->result, "  ", "\n");
    const char *note = rt_dataset_note(w->set);
    if (note[0]) rti_text_printf(&text, "  %s\n", note);
    fputs(rti_text_string(&text), stdout);
    rti_text_deinit(&text);
}

static rt_status write(const char *path, rti_text *text, rt_error *error) {
    rt_status status = text->failed ? rt_fail(error, RT_MEMORY, "no memory for %s", path)
                                    : rti_file_write(path, rti_text_string(text), text->length, error);
    rti_text_deinit(text);
    return status;
}

static rt_status compress(work *w, rt_error *error) {
    rti_text text = RTI_TEXT_EMPTY;
    RT_TRY(open_teachers(w, error));
    w->set = rt_dataset_open(&w->data, NULL, error);
    if (!w->set) return error->status;
    const rt_part *test = rt_dataset_part(w->set, RT_PART_TEST);
    if (!test->count) return rt_fail(error, RT_VALUE, "the data set has no test part");
    RT_TRY(add_teacher(w, test, error));
    for (int i = 0; i < w->a->student_count; i++) RT_TRY(add_student(w, i, test, error));
    if (w->a->csv) {
        rti_compression_csv(&w->result, &text);
        RT_TRY(write(w->a->csv, &text, error));
    }
    if (w->a->json) {
        rti_compression_json(&w->result, rt_dataset_summary(w->set), &text);
        RT_TRY(write(w->a->json, &text, error));
    }
    print(w);
    return RT_OK;
}

int rti_compression_run(const rti_command *command, int argc, char **argv) {
    static arguments a;
    rt_error error = {0};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *problem = take(&a, argc, argv, &i);
        if (problem) return rti_usage(command, "%s %s", problem, word);
    }
    sort_out(&a);
    if (!a.student_count)
        return rti_usage(command, "--compression of what? Name TEACHER and STUDENT, directories of trials or "
                                  ".safetensors files.");
    work *w = rt_alloc_zero(1, sizeof *w);
    if (!w) return rti_complain((rt_fail(&error, RT_MEMORY, "no memory for the report"), &error));
    w->a = &a;
    rt_status status = compress(w, &error);
    rt_teacher_free(w->teacher);
    for (int i = 0; i < w->member_count; i++) rt_model_free(w->members[i]);
    rt_dataset_free(w->set);
    rti_target_deinit(&w->target);
    rt_free(w);
    return status == RT_OK ? RTI_EXIT_DONE : rti_complain(&error);
}
