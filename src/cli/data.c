/* data.c - retort data: shows, describes, fetches and lists data sets.  Floor 9 (cli) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/describe.h"
#include "core/file.h"
#include "data/dataset.h"
#include "data/views.h"
#include "formats/png.h"
#include "retort/log.h"

#define SIDE_MAX 4096 /* pixels of an image's side that a sheet still makes sense for */

typedef struct show_options {
    const char *set, *part, *out;
    int64_t count, seed; /* seed -1: not given */
    int scale;
    bool augmented;
    rt_augment augment;
} show_options;

/* ---- the sheet ---- */

/* Numbers of `count` examples: the first ones, or with a seed a random choice. NULL: no memory. */
static int32_t *numbers_choose(const rt_examples *e, int64_t count, int64_t seed) {
    int32_t *numbers = rt_alloc((size_t)e->count * sizeof *numbers);
    if (!numbers) return NULL;
    for (int64_t i = 0; i < e->count; i++) numbers[i] = (int32_t)i;
    if (seed >= 0 && count < e->count) {
        rt_rng rng = rt_rng_stream((uint64_t)seed, "show", 0, 0);
        rt_rng_shuffle(&rng, numbers, e->count);
    }
    return numbers;
}

/* Dark ink on white paper for grey images, colours as they are. */
static uint8_t pixel(const rt_examples *e, int64_t number, int64_t c, int64_t y, int64_t x) {
    uint8_t v = e->bytes[number * e->features + (c * e->shape[1] + y) * e->shape[2] + x];
    return e->shape[0] == 1 ? (uint8_t)(255 - v) : v;
}

static rt_status sheet_write(const rt_examples *e, const int32_t *numbers, int64_t count, int scale,
                             const char *path, rt_error *error) {
    int64_t C = e->shape[0] == 3 ? 3 : 1, H = e->shape[1], W = e->shape[2], columns = 1;
    while (columns * columns < count) columns++;
    int64_t rows = (count + columns - 1) / columns, gap = scale;
    int64_t width = columns * (W * scale + gap) + gap, height = rows * (H * scale + gap) + gap;
    uint8_t *pixels = rt_alloc((size_t)(width * height * C));
    if (!pixels) return rt_fail(error, RT_MEMORY, "no memory for a sheet of %lld images", (long long)count);
    memset(pixels, 255, (size_t)(width * height * C));
    for (int64_t i = 0; i < count; i++) {
        int64_t top = gap + i / columns * (H * scale + gap), left = gap + i % columns * (W * scale + gap);
        for (int64_t y = 0; y < H * scale; y++)
            for (int64_t x = 0; x < W * scale; x++)
                for (int64_t c = 0; c < C; c++)
                    pixels[((top + y) * width + left + x) * C + c] = pixel(e, numbers[i], c, y / scale,
                                                                           x / scale);
    }
    rt_status status = rti_png_write(path, pixels, (int)width, (int)height, (int)C, error);
    rt_free(pixels);
    return status;
}

/* The chosen examples as the first epoch of a training with this seed would see them: bytes again, `count`
 * of them, to be released with rt_free; their labels stay behind. */
static rt_status views_make(const rt_examples *e, const int32_t *numbers, int64_t count,
                            const show_options *o, rt_examples *views, uint8_t **bytes, rt_error *error) {
    RT_TRY(rti_augment_check(&o->augment, e, error));
    rt_real *image = rt_alloc((size_t)e->features * sizeof *image);
    *bytes = rt_alloc((size_t)(count * e->features));
    if (!image || !*bytes) {
        rt_free(image);
        return rt_fail(error, RT_MEMORY, "no memory for %lld views", (long long)count);
    }
    for (int64_t i = 0; i < count; i++) {
        const rti_view view = rti_view_draw(&o->augment, e, o->seed < 0 ? 0 : (uint64_t)o->seed, 0,
                                            (uint64_t)numbers[i]);
        rti_view_show(&view, e, e->bytes + numbers[i] * e->features, image);
        for (int64_t f = 0; f < e->features; f++)
            (*bytes)[i * e->features + f] = (uint8_t)lrint((double)image[f] / e->scale);
    }
    rt_free(image);
    *views = *e;
    views->count = count, views->bytes = *bytes, views->labels = NULL;
    return RT_OK;
}

/* ---- the terminal ---- */

static bool speaks_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8");
    }
    return false;
}

/* How dark, 0 ... 255: ink for grey images, the mean of the channels for colour. */
static int darkness(const rt_examples *e, int64_t number, int64_t y, int64_t x) {
    int sum = 0;
    if (y >= e->shape[1]) return 0;
    for (int64_t c = 0; c < e->shape[0]; c++)
        sum += e->bytes[number * e->features + (c * e->shape[1] + y) * e->shape[2] + x];
    return sum / (int)e->shape[0];
}

/* One row of images, two pixels above each other in a character. */
static void preview(const rt_examples *e, const int32_t *numbers, int64_t count) {
    static const char *const halves[] = {" ", "\xe2\x96\x84", "\xe2\x96\x80",
                                         "\xe2\x96\x88"}; /* lower, upper, full */
    struct winsize window;
    int64_t columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col
                                                                                          : 80;
    int64_t fit = columns / (e->shape[2] + 1), shown = fit < count ? fit : count;
    bool utf8 = speaks_utf8();
    for (int64_t y = 0; y < e->shape[1] && shown > 0; y += 2) {
        for (int64_t i = 0; i < shown; i++) {
            for (int64_t x = 0; x < e->shape[2]; x++) {
                int upper = darkness(e, numbers[i], y, x), lower = darkness(e, numbers[i], y + 1, x);
                if (utf8)
                    fputs(halves[2 * (upper > 96) + (lower > 96)], stdout);
                else
                    putchar(" .:-=+*#%@"[(upper + lower) * 10 / 512]);
            }
            putchar(' ');
        }
        putchar('\n');
    }
}

static void classes_print(const rt_dataset *set, const rt_examples *e) {
    char buffer[16];
    int shown = e->classes < 20 ? e->classes : 20;
    for (int k = 0; k < shown; k++) {
        long long n = 0;
        for (int64_t i = 0; i < e->count; i++) n += e->labels[i] == k;
        printf("%s %s: %lld", k ? "," : "classes:", rt_dataset_class_name(set, k, buffer), n);
    }
    puts(shown < e->classes ? ", ..." : "");
}

static void rows_print(const rt_dataset *set, const rt_examples *e, const int32_t *numbers, int64_t count) {
    char buffer[16];
    int64_t columns = e->features < 8 ? e->features : 8;
    for (int64_t i = 0; i < count && i < 10; i++) {
        printf("%10s", rt_dataset_class_name(set, e->labels[numbers[i]], buffer));
        for (int64_t d = 0; d < columns; d++)
            printf(" %10.4g", e->bytes ? (double)e->bytes[numbers[i] * e->features + d]
                                       : (double)e->values[numbers[i] * e->features + d]);
        puts(columns < e->features ? " ..." : "");
    }
}

/* ---- show ---- */

static int show_set(const rt_dataset *set, const show_options *o) {
    const rt_examples *e = strcmp(o->part, "test") == 0 ? rt_dataset_test_examples(set)
                                                        : rt_dataset_train_examples(set);
    int64_t count = o->count < e->count ? o->count : e->count;
    bool images = e->ndim == 3 && e->bytes && e->shape[1] <= SIDE_MAX && e->shape[2] <= SIDE_MAX;
    rt_error error = {0};
    int32_t *numbers = numbers_choose(e, count, strcmp(o->set, "digits") == 0 ? -1 : o->seed);
    if (!numbers) {
        rt_fail(&error, RT_MEMORY, "no memory to choose %lld examples", (long long)count);
        return rti_complain(&error);
    }
    puts(rt_dataset_summary(set));
    classes_print(set, e);
    int exit_code = RTI_EXIT_DONE;
    rt_examples views;
    uint8_t *bytes = NULL;
    if (o->augmented) {
        if (!images)
            rt_fail(&error, RT_UNSUPPORTED, "%s: --augment is for images of bytes", o->set);
        else if (views_make(e, numbers, count, o, &views, &bytes, &error) == RT_OK)
            e = &views;
        if (error.status != RT_OK) {
            rt_free(bytes), rt_free(numbers);
            return rti_complain(&error);
        }
        for (int64_t i = 0; i < count; i++) numbers[i] = (int32_t)i;
    }
    if (images) {
        char path[RTI_PATH_MAX];
        snprintf(path, sizeof path, "%s", o->out ? o->out : "");
        if (!o->out) snprintf(path, sizeof path, "%s.png", o->set);
        if (isatty(STDOUT_FILENO)) preview(e, numbers, count);
        if (sheet_write(e, numbers, count, o->scale, path, &error) == RT_OK)
            printf("%lld %s images: %s\n", (long long)count, o->part, path);
        else
            exit_code = rti_complain(&error);
    } else {
        rows_print(set, e, numbers, count);
    }
    rt_free(bytes), rt_free(numbers);
    return exit_code;
}

extern const rti_command rti_command_data;

static bool number_parse(const char *text, int64_t low, int64_t high, int64_t *out) {
    char *end;
    if (!*text) return false;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return !*end && value >= low && value <= high;
}

/* "flip,crop=4,reflect,cutout=8,jitter=2" */
static bool augment_parse(char *text, rt_augment *a) {
    for (char *rest = text, *word; (word = strtok_r(rest, ",", &rest));) {
        char *equals = strchr(word, '=');
        int64_t number = 0;
        if (equals) *equals++ = 0;
        if (equals && !number_parse(equals, 0, SIDE_MAX, &number)) return false;
        if (strcmp(word, "flip") == 0 && !equals)
            a->flip = true;
        else if (strcmp(word, "reflect") == 0 && !equals)
            a->reflect = true;
        else if (strcmp(word, "crop") == 0 && equals)
            a->crop = (int)number;
        else if (strcmp(word, "cutout") == 0 && equals)
            a->cutout = (int)number;
        else if (strcmp(word, "jitter") == 0 && equals)
            a->jitter = (int)number;
        else
            return false;
    }
    return true;
}

/* One "--name value". Returns RTI_EXIT_DONE or what the usage error said. */
static int option_read(show_options *o, const char *name, char *value) {
    int64_t number;
    if (!value) return rti_usage(&rti_command_data, "%s needs a value.", name);
    if (strcmp(name, "--seed") == 0) {
        if (!number_parse(value, 0, (int64_t)1 << 53, &o->seed))
            return rti_usage(&rti_command_data, "--seed is a whole number from 0.");
    } else if (strcmp(name, "--count") == 0) {
        if (!number_parse(value, 1, 10000, &o->count))
            return rti_usage(&rti_command_data, "--count is a whole number from 1 to 10000.");
    } else if (strcmp(name, "--scale") == 0) {
        if (!number_parse(value, 1, 16, &number))
            return rti_usage(&rti_command_data, "--scale is a whole number from 1 to 16.");
        o->scale = (int)number;
    } else if (strcmp(name, "--part") == 0) {
        if (strcmp(value, "train") != 0 && strcmp(value, "test") != 0)
            return rti_usage(&rti_command_data, "--part is train or test.");
        o->part = value;
    } else if (strcmp(name, "--out") == 0) {
        o->out = value;
    } else if (strcmp(name, "--augment") == 0) {
        o->augmented = true;
        if (!augment_parse(value, &o->augment))
            return rti_usage(
                &rti_command_data,
                "--augment is a list of flip, crop=N, reflect, cutout=N, jitter=N, e.g. flip,crop=4.");
    } else {
        return rti_usage(&rti_command_data, "there is no option %s.", name);
    }
    return RTI_EXIT_DONE;
}

/* The set's name; an unknown one is a usage error that names the nearest. */
static int set_read(show_options *o, const char *word) {
    int kinds;
    const char *const *names = rt_data_kinds(&kinds);
    if (o->set) return rti_usage(&rti_command_data, "one set at a time: %s or %s?", o->set, word);
    o->set = word;
    if (rti_dataset_kind_find(word)) return RTI_EXIT_DONE;
    const char *near = rt_nearest_word(word, names, kinds);
    return near ? rti_usage(&rti_command_data, "there is no set \"%s\"; did you mean \"%s\"?", word, near)
                : rti_usage(&rti_command_data, "there is no set \"%s\"; see retort data list.", word);
}

static rt_status number_set(rt_params *p, const char *name, int64_t value, rt_error *error) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return rt_params_set_text(p, name, text, error);
}

/* Only as many digits are drawn as are shown. */
static rt_status digits_set(rt_params *p, const show_options *o, rt_error *error) {
    bool test = strcmp(o->part, "test") == 0;
    RT_TRY(number_set(p, test ? "digits.test" : "digits.train", o->count, error));
    RT_TRY(number_set(p, test ? "digits.train" : "digits.test", 1, error));
    return o->seed >= 0 ? number_set(p, "digits.seed", o->seed, error) : RT_OK;
}

static int show_with(rt_params *p, int argc, char **argv) {
    show_options o = {.part = "train", .count = 100, .seed = -1, .scale = 3};
    rt_error error = {0};
    if (number_set(p, "validation", 0, &error) != RT_OK) return rti_complain(&error);
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        int code = RTI_EXIT_DONE;
        if (argv[i][0] == '-') {
            code = option_read(&o, argv[i], argv[i + 1]);
            i++;
        } else if (equals) {
            *equals = 0;
            if (rt_params_set_text(p, argv[i], equals + 1, &error) != RT_OK) return rti_complain(&error);
        } else {
            code = set_read(&o, argv[i]);
        }
        if (code != RTI_EXIT_DONE) return code;
    }
    if (!o.set) return rti_usage(&rti_command_data, "show needs the name of a set, e.g. digits.");
    if (rt_params_set_text(p, "set", o.set, &error) != RT_OK) return rti_complain(&error);
    if (strcmp(o.set, "digits") == 0 && digits_set(p, &o, &error) != RT_OK) return rti_complain(&error);
    rt_dataset *set = rt_dataset_open(p, NULL, &error);
    if (!set) return rti_complain(&error);
    int code = show_set(set, &o);
    rt_dataset_free(set);
    return code;
}

static int show(int argc, char **argv) {
    int rows;
    const rt_param *table = rt_data_rows(&rows);
    rt_params *p = rt_alloc(sizeof *p);
    if (!p) return rti_complain(&(rt_error){RT_MEMORY, "not enough memory"});
    rt_params_init(p, table, rows);
    int code = show_with(p, argc, argv);
    rt_free(p);
    return code;
}

/* ---- list, fetch ---- */

static int list(void) {
    char directory[RTI_PATH_MAX];
    for (int i = 0; rti_all_dataset_kinds[i]; i++) {
        const rti_dataset_kind *kind = rti_all_dataset_kinds[i];
        printf("%-14s %s\n%-14s files: %s\n", kind->name, kind->title, "", kind->files);
        if (kind->fetch) printf("%-14s fetch: retort data fetch %s\n", "", kind->fetch);
    }
    if (rt_data_directory(directory, sizeof directory, NULL) == RT_OK) printf("\nDIR is %s\n", directory);
    return RTI_EXIT_DONE;
}

static void say(void *context, rt_log_level level, const char *text) {
    (void)context;
    if (level >= RT_LOG_INFO) fprintf(stderr, "%s%s\n", level >= RT_LOG_WARNING ? "warning: " : "", text);
}

static int fetch(int argc, char **argv) {
    rt_error error = {0};
    if (argc < 2)
        return rti_usage(&rti_command_data, "fetch needs a set: mnist, fashion-mnist, cifar10 or cifar100.");
    rt_log_set(say, NULL);
    for (int i = 1; i < argc; i++)
        if (rt_data_fetch(argv[i], NULL, &error) != RT_OK) return rti_complain(&error);
    return RTI_EXIT_DONE;
}

static int run(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "show") == 0) return show(argc - 1, argv + 1);
    if (strcmp(what, "describe") == 0) return rti_data_describe(argc - 1, argv + 1);
    if (strcmp(what, "fetch") == 0) return fetch(argc - 1, argv + 1);
    if (strcmp(what, "list") == 0 && argc == 2) return list();
    return rti_usage(&rti_command_data, "say show, describe, fetch or list.");
}

const rti_command rti_command_data = {
    .name = "data",
    .line = "shows, describes, fetches and lists data sets",
    .usage =
        "usage: retort data show SET [--count N] [--seed S] [--part train|test] [--scale N] [--out FILE.png] "
        "[--augment LIST] [KEY=VALUE ...]\n"
        "       retort data describe FILE_OR_FOLDER [--spec FILE.toml] [--label COLUMN] [--all]\n"
        "       retort data fetch mnist|fashion-mnist|cifar10|cifar100 ...\n"
        "       retort data list\n\n"
        "show   draws a sheet of images (SET.png unless --out says otherwise) and a preview on the "
        "terminal;\n"
        "       of a table it prints the first rows. --seed: which digits are drawn; of other sets, a "
        "random\n"
        "       choice instead of the first ones. --augment flip,crop=4,reflect,cutout=8,jitter=2: as a "
        "training\n"
        "       with this seed sees them in its first epoch. KEY=VALUE: any option of [data], e.g. "
        "csv.train=iris.csv\n"
        "describe  what is in a CSV, IDX or NPY file, or in a folder of IDX or NPY files: rows, columns,\n"
        "       types, ranges, classes, what is missing or constant. --spec FILE.toml: writes a complete\n"
        "       spec for it, which `retort run` takes as it is. --label: name or number of a table's label\n"
        "       column (it is guessed otherwise). --all: every column of a wide table\n"
        "fetch  downloads with curl, goes on with what was begun, verifies SHA-256, renames into place last\n"
        "list   the sets, where their files are looked for\n\n"
        "RETORT_DATA=DIR      where the files are; otherwise XDG_DATA_HOME/retort or ~/.local/share/retort\n"
        "RETORT_MIRROR=A,B    addresses that are tried instead of the public mirrors: A/SET/FILE\n\n"
        "example: retort data show digits --seed 7 --out digits.png\n"
        "         retort data describe my.csv --spec my.toml\n",
    .run = run,
};
RTI_REGISTER(command, data)
