#include <retort/retort.h>
#include <stdio.h>

/* Ten epochs; with a teacher: (1 - a) CE + a T^2 KL(teacher/T || student/T). */
static rt_status learn(rt_model *student, rt_model *teacher, rt_loader *train, double T, double a) {
    rt_graph *g = rt_graph_new(NULL);
    rt_optimizer *sgd = rt_sgd_new(student, 0.02, 0.9, NULL);
    rt_batch batch;
    for (int epoch = 0; epoch < 10; epoch++) {
        rt_loader_begin(train, epoch);
        while (rt_loader_next(train, &batch)) {
            rt_tensor *z = rt_model_forward(student, g, batch.x), *loss = rt_cross_entropy(g, z, batch.y);
            if (teacher) {
                rt_tensor *soft = rt_kl_divergence(g, rt_model_forward(teacher, g, batch.x), z, T);
                loss = rt_add(g, rt_scale(g, loss, 1 - a), rt_scale(g, soft, a * T * T));
            }
            if (rt_backward(g, loss) != RT_OK) return rt_report(g);
            rt_optimizer_step(sgd);
            rt_graph_reset(g);
        }
    }
    rt_optimizer_free(sgd);
    rt_graph_free(g);
    return RT_OK;
}

int main(void) {
    rt_error error = {RT_OK, ""};
    rt_dataset *digits = rt_dataset_open_kind("digits", &error);
    rt_loader *train = rt_loader_new(rt_dataset_part(digits, RT_PART_TRAIN), 100, 1, NULL, &error);
    rt_model *teacher = rt_mlp_new(4, (int64_t[]){784, 300, 300, 10}, 1, &error);
    rt_model *student = rt_mlp_new(4, (int64_t[]){784, 30, 30, 10}, 2, &error);
    if (learn(teacher, NULL, train, 1, 0) != RT_OK) return 1;
    rt_model_freeze(teacher);
    if (learn(student, teacher, train, 4, 0.9) != RT_OK) return 1;
    rt_quality quality;
    if (rt_evaluate(student, NULL, rt_dataset_part(digits, RT_PART_TEST), &quality, NULL, &error) != RT_OK) return 1;
    printf("student: %.2f %% of %lld test digits right\n", 100 * quality.accuracy, (long long)quality.examples);
    return 0;
}
