/* What the driver does for methods that look inside: taps, adapters, two stages, and checkpoints of all
 * that. Checked against: a training that was not interrupted; the student's own file; the names of layers. */
#include "fixture.h"

#include "distill/distiller.h"

static rt_params optimizer, options;

typedef struct training {
    rt_model *net, *student;
    rt_teacher *teacher;
    rt_distiller *distiller;
} training;

static rt_model *cnn(const char *settings, uint64_t seed) {
    int count;
    const rt_param *rows = rt_model_rows("cnn", &count);
    static rt_params p;
    rt_params_init(&p, rows, count);
    fixture_set(&p, settings);
    rt_error error;
    rt_model *model = rt_model_new("cnn", &p, 3, (int64_t[]){1, SIDE, SIDE}, CLASSES, seed, &error);
    cr_assert(model, "%s", error.message);
    return model;
}

static rt_distiller_config config_of(training *t, const char *method, const char *settings) {
    fixture_data();
    fixture_optimizer(&optimizer, "lr=0.05 momentum=0.9");
    fixture_options(&options, method, settings);
    t->net = cnn("filters=[6,8] hidden=[12] batch_norm=true", 1);
    t->student = cnn("filters=[4,5] hidden=[8] batch_norm=true dropout=0.2", 2);
    t->teacher = fixture_teacher(&t->net, 1, RT_COMBINE_LOGITS);
    return (rt_distiller_config){.student = t->student,
                                 .teacher = t->teacher,
                                 .method = method,
                                 .options = &options,
                                 .transfer = &fixture_part,
                                 .batch = BATCH,
                                 .seed = 3,
                                 .epochs = 4,
                                 .training = &optimizer};
}

static void begin(training *t, const char *method, const char *settings) {
    rt_distiller_config c = config_of(t, method, settings);
    t->distiller = fixture_distiller(&c);
}

static void end(training *t) {
    rt_distiller_free(t->distiller);
    rt_teacher_free(t->teacher);
    rt_model_free(t->net), rt_model_free(t->student);
}

Test(stages, the_first_one_has_its_terms_alone_and_the_schedule_begins_anew) {
    training t;
    rt_distiller_config c = config_of(&t, "fitnets", "first_stage=0.5");
    fixture_optimizer(&optimizer, "lr=0.05 momentum=0.9 schedule=linear");
    t.distiller = fixture_distiller(&c);
    double lr[4];
    for (int i = 0; i < 4; i++) {
        rt_epoch_report report = fixture_epoch(t.distiller);
        cr_assert_eq(report.stage, i < 2 ? 1 : 2);
        lr[i] = report.lr;
        for (int k = 0; k < report.terms; k++)
            cr_assert_eq(!strcmp(report.term[k].name, "hint"), i < 2, "epoch %d has the term %s", i,
                         report.term[k].name);
    }
    cr_assert(lr[1] < lr[0] && lr[2] > lr[1] && lr[0] == lr[2] && lr[1] == lr[3], "%g %g %g %g", lr[0], lr[1],
              lr[2], lr[3]);
    end(&t);
}

/* Cut after every epoch, also exactly between the stages. */
Test(stages, go_on_bit_exactly_with_their_adapters) {
    static const char *const methods[][2] = {{"fitnets", "first_stage=0.5"},
                                             {"vid", ""},
                                             {"kd+fitnets", "fitnets.first_stage=0.25"},
                                             {"kd+at", "at.weight=10"}};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        training straight;
        begin(&straight, methods[m][0], methods[m][1]);
        for (int i = 0; i < 4; i++) fixture_epoch(straight.distiller);
        for (int cut = 0; cut <= 4; cut++) {
            training first, second;
            void *bytes;
            size_t count;
            rt_error error;
            begin(&first, methods[m][0], methods[m][1]);
            for (int i = 0; i < cut; i++) fixture_epoch(first.distiller);
            cr_assert_eq(rt_distiller_save(first.distiller, &bytes, &count, NULL), RT_OK);
            end(&first);
            begin(&second, methods[m][0], methods[m][1]);
            cr_assert_eq(rt_distiller_restore(second.distiller, bytes, count, &error), RT_OK, "%s",
                         error.message);
            for (int i = cut; i < 4; i++) fixture_epoch(second.distiller);
            cr_assert(fixture_same_weights(straight.student, second.student), "%s, cut after %d",
                      methods[m][0], cut);
            rt_free(bytes);
            end(&second);
        }
        end(&straight);
    }
}

/* The variance that one framework leaves out of its optimiser, and every other adapter parameter. */
Test(stages, every_adapter_parameter_is_trained_and_none_is_in_the_student) {
    static const char *const methods[] = {"fitnets", "vid", "mgd", "reviewkd"};
    for (int m = 0; m < 4; m++) {
        training t;
        begin(&t, methods[m], m == 0 ? "form=joint" : "");
        rti_adapters *adapters = &t.distiller->adapters;
        cr_assert(adapters->count > 0 && rt_distiller_extra_parameters(t.distiller) > 0, "%s", methods[m]);
        rt_real *before[RTI_ADAPTERS_MAX];
        for (int a = 0; a < adapters->count; a++) before[a] = fixture_weights(adapters->model[a]);
        int64_t own = rt_model_cost_get(t.student).parameters;
        fixture_epoch(t.distiller);
        cr_assert_eq(rt_model_cost_get(t.student).parameters, own);
        for (int a = 0; a < adapters->count; a++) {
            for (int i = 0; i < rt_model_parameters(adapters->model[a]); i++) {
                rt_parameter *p = rt_model_parameter(adapters->model[a], i);
                size_t bytes = (size_t)rt_tensor_count(&p->tensor) * sizeof(rt_real);
                cr_assert(memcmp(p->tensor.data, before[a] + p->offset, bytes),
                          "%s: %s of adapter %d stands still", methods[m], p->name, a);
            }
            rt_free(before[a]);
        }
        end(&t);
    }
}

Test(stages, taps_are_chosen_named_and_refused) {
    training t;
    rt_error error;
    char text[1024];
    rt_distiller_config c = config_of(&t, "at", "");
    cr_assert_eq(rt_distiller_describe(&c, text, sizeof text, &error), RT_OK, "%s", error.message);
    cr_assert(strstr(text, "at: student ") && strstr(text, " <- teacher "), "%s", text);
    rt_teacher_free(t.teacher), rt_model_free(t.net), rt_model_free(t.student);

    c = config_of(&t, "at", "student_taps=nowhere teacher_taps=stage1");
    cr_assert_eq(rt_distiller_describe(&c, text, sizeof text, &error), RT_NOT_FOUND);
    cr_assert(strstr(error.message, "nowhere") && strstr(error.message, "stage1"), "%s", error.message);
    rt_teacher_free(t.teacher), rt_model_free(t.net), rt_model_free(t.student);

    c = config_of(&t, "at", "student_taps=stage1,stage2 teacher_taps=stage1");
    cr_assert_eq(rt_distiller_describe(&c, text, sizeof text, &error), RT_SPEC, "%s", error.message);
    rt_teacher_free(t.teacher), rt_model_free(t.net), rt_model_free(t.student);
}

Test(stages, an_ensemble_has_no_single_hidden_layer) {
    training t;
    rt_error error;
    rt_distiller_config c = config_of(&t, "at", "");
    rt_model *two[] = {t.net, cnn("filters=[6,8] hidden=[12]", 5)};
    rt_teacher *both = fixture_teacher(two, 2, RT_COMBINE_LOGITS);
    c.teacher = both;
    cr_assert_null(rt_distiller_new(&c, &error));
    cr_assert(error.status == RT_UNSUPPORTED && strstr(error.message, "2 networks"), "%s", error.message);
    rt_teacher_free(both);
    rt_teacher_free(t.teacher);
    rt_model_free(two[1]), rt_model_free(t.net), rt_model_free(t.student);
}
