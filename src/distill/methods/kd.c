/* kd.c - knowledge distillation from soft targets.                     Floor 7 (distill)
 *
 * p = softmax(v/T) the teacher, q = softmax(z/T) the student. retort's convention:
 *
 *     L = (1 - alpha) CE(y, softmax(z)) + alpha T^2 KL(p || q)
 *
 * The gradient of KL(p || q) with respect to z is (q - p)/(T N), and q - p itself shrinks with 1/T;
 * the factor T^2 keeps the soft gradient at the size of the hard one while T is varied. alpha = 0 is
 * cross-entropy to the bit, alpha = 1 the soft term alone.
 *
 * Others publish other losses under this name. Five options say how they differ, so that each is a
 * list of settings: a preset. */
#include <string.h>

#include "distill/method.h"
#include "retort/ops.h"

static const rt_param rows[] = {
    RT_PARAM_REAL_ROW("temperature", 4, 0.01, 1000, "", "softens teacher and student in the soft term"),
    RT_PARAM_REAL_ROW("alpha", 0.9, 0, 1, "",
                      "weight of the term that alpha_on names; the other gets 1 - alpha"),
    RT_PARAM_CHOICE_ROW("weights", "convex", "convex|free",
                        "alpha and 1 - alpha, or hard_weight and soft_weight"),
    RT_PARAM_REAL_ROW("hard_weight", 1, 0, 1e6, "", "of the labels, with weights = free"),
    RT_PARAM_REAL_ROW("soft_weight", 1, 0, 1e6, "",
                      "of the soft term, with weights = free; T^2 comes on top"),
    RT_PARAM_CHOICE_ROW("alpha_on", "soft", "soft|hard",
                        "the term that alpha multiplies, with weights = convex"),
    RT_PARAM_BOOL_ROW("t_squared", true, "multiply the soft term by T^2"),
    RT_PARAM_CHOICE_ROW("reduction", "batchmean", "batchmean|mean|sum",
                        "sum over classes and mean over batch; mean over both (1/K of it); sum over both"),
    RT_PARAM_CHOICE_ROW("direction", "teacher-first", "teacher-first|student-first",
                        "KL(teacher || student) or reversed"),
    RT_PARAM_CHOICE_ROW("soft", "kl", "kl|cross-entropy",
                        "the soft term: a divergence, or with the entropy of its first argument on top"),
};

/* ---- options ---- */

typedef struct shape {
    double T, hard, share; /* share: of the soft term, without T^2 */
    double soft;           /* share, times T^2 when that is asked for */
    bool student_first, cross_entropy;
    char reduction; /* 'b'atchmean, 'm'ean, 's'um */
} shape;

static bool option_is(const rt_params *options, const char *name, const char *word) {
    return strcmp(rt_params_text(options, name), word) == 0;
}

static shape shape_of(const rt_params *options) {
    shape s = {.T = rt_params_real(options, "temperature")};
    if (option_is(options, "weights", "free")) {
        s.hard = rt_params_real(options, "hard_weight");
        s.share = rt_params_real(options, "soft_weight");
    } else {
        double alpha = rt_params_real(options, "alpha");
        bool on_soft = option_is(options, "alpha_on", "soft");
        s.share = on_soft ? alpha : 1 - alpha;
        s.hard = on_soft ? 1 - alpha : alpha;
    }
    s.soft = rt_params_bool(options, "t_squared") ? s.share * s.T * s.T : s.share;
    s.student_first = option_is(options, "direction", "student-first");
    s.cross_entropy = option_is(options, "soft", "cross-entropy");
    s.reduction = rt_params_text(options, "reduction")[0];
    return s;
}

static rt_status kd_check(const rt_params *options, int64_t classes, rt_error *error) {
    (void)classes;
    shape s = shape_of(options);
    if (s.hard == 0 && s.share == 0)
        return rt_fail(error, RT_SPEC,
                       "hard_weight and soft_weight are both 0: there is nothing to learn from");
    return RT_OK;
}

static bool kd_is_labels_only(const rt_params *options) {
    shape s = shape_of(options);
    return s.share == 0 && s.hard == 1;
}

static double kd_temperature(const rt_params *options) { return rt_params_real(options, "temperature"); }

/* ---- the loss ---- */

static rt_tensor *soft_term(const shape *s, const rti_method_input *in) {
    rt_graph *g = in->graph;
    rt_tensor *first = s->student_first ? in->z : in->v, *second = s->student_first ? in->v : in->z, *term;
    if (s->cross_entropy)
        term = rt_cross_entropy_soft(g, rt_softmax(g, first, s->T), second, s->T);
    else if (s->student_first)
        term = rt_kl_divergence_reverse(g, in->v, in->z, s->T);
    else
        term = rt_kl_divergence(g, in->v, in->z, s->T);
    if (s->reduction == 'm') return rt_scale(g, term, 1 / (double)in->z->shape[1]);
    if (s->reduction == 's') return rt_scale(g, term, (double)in->z->shape[0]);
    return term;
}

static void kd_loss(void *state, const rt_params *options, const rti_method_input *in, rti_terms *out) {
    (void)state;
    shape s = shape_of(options);
    rti_labels(out, in, s.hard);
    RTI_TERM(out, "kd", s.soft, soft_term(&s, in));
}

/* ---- the contract ---- */

static void write_formula(rti_writer *w, const shape *s, bool t_squared) {
    char p[64], q[64];
    rti_write(&(rti_writer){p, sizeof p}, "softmax(v/%g)", s->T);
    rti_write(&(rti_writer){q, sizeof q}, "softmax(z/%g)", s->T);
    rti_write(w, "L = ");
    if (s->hard != 0) rti_write(w, "%g CE(y, softmax(z))%s", s->hard, s->share != 0 ? " + " : "");
    if (s->share != 0) {
        rti_write(w, "%g", s->share);
        if (t_squared) rti_write(w, " * %g^2", s->T);
        rti_write(w, "%s", s->reduction == 'm' ? " 1/K" : s->reduction == 's' ? " N" : "");
        rti_write(w, s->cross_entropy ? " CE(%s, %s)" : " KL(%s || %s)", s->student_first ? q : p,
                  s->student_first ? p : q);
    }
    rti_write(w, ", z student and v teacher logits\n");
}

static void kd_contract(const rt_params *options, char *buffer, size_t size) {
    rti_writer w = {buffer, size};
    shape s = shape_of(options);
    bool t_squared = rt_params_bool(options, "t_squared"), on_soft = option_is(options, "alpha_on", "soft");
    double alpha = rt_params_real(options, "alpha");
    write_formula(&w, &s, t_squared);
    if (s.cross_entropy)
        rti_write(
            &w, "direction: cross-entropy with the %s; no KL, the entropy of the targets is not subtracted\n",
            s.student_first ? "student's answers as targets of the teacher" : "teacher's answers as targets");
    else
        rti_write(&w, "direction: %s\n",
                  s.student_first ? "KL(student || teacher), reversed" : "KL(teacher || student)");
    rti_write(&w, "T^2: %s; T = %g\n", t_squared ? "in value and gradient of the soft term" : "no factor",
              s.T);
    if (option_is(options, "weights", "free"))
        rti_write(&w, "weights: free, %g for the labels and %g for the soft term; alpha is not used\n",
                  s.hard, s.share);
    else
        rti_write(&w, "weights: alpha = %g multiplies the %s term, 1 - alpha = %g the %s term\n", alpha,
                  on_soft ? "soft" : "hard (label)", 1 - alpha, on_soft ? "hard (label)" : "soft");
    rti_write(&w, "effective weights: %g on CE, %g on the soft term%s\n", s.hard, s.soft,
              s.soft == 0   ? ", which is not computed"
              : s.hard == 0 ? "; the labels are not used"
                            : "");
    rti_write(&w, "reduction: %s; CE: mean over the batch\n",
              s.reduction == 'b'   ? "sum over classes, mean over the batch"
              : s.reduction == 'm' ? "mean over classes and over the batch: 1/K of the usual"
                                   : "sum over classes and over the batch: grows with the batch");
    rti_write(&w, "stages: one");
}

/* ---- limits ---- */

static rt_tensor *kl_alone(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    return rt_scale(g, rt_kl_divergence(g, v, z, 4), 16);
}
/* sum p (log p - log q), mean over the batch, from elementary ops. */
static rt_tensor *kl_by_hand(rt_graph *g, rt_tensor *first, rt_tensor *second, double T) {
    rt_tensor *ratio = rt_sub(g, rt_log_softmax(g, first, T), rt_log_softmax(g, second, T));
    rt_tensor *sum = rt_sum(g, rt_mul(g, rt_softmax(g, first, T), ratio), RT_ALL_AXES);
    return rt_scale(g, sum, 1 / (double)first->shape[0]);
}
static rt_tensor *convention(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    return rt_add(g, rt_scale(g, rt_cross_entropy(g, z, y), 0.25),
                  rt_scale(g, kl_by_hand(g, v, z, 3), 0.75 * 9));
}
static rt_tensor *reversed(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    return rt_scale(g, kl_by_hand(g, z, v, 3), 9);
}
static rt_tensor *over_classes(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    return rt_scale(g, kl_by_hand(g, v, z, 3), 9 / (double)z->shape[1]);
}
static rt_tensor *not_squared(rt_graph *g, rt_tensor *v, rt_tensor *z, rt_tensor *y) {
    (void)y;
    return kl_by_hand(g, v, z, 3);
}

static const rti_method_case cases[] = {
    {"alpha 0 is cross-entropy", "alpha=0 temperature=4", rti_labels_alone, true},
    {"alpha 0 is cross-entropy at any temperature", "alpha=0 temperature=1000 reduction=sum",
     rti_labels_alone, true},
    {"alpha 1 on the labels is cross-entropy", "alpha=1 alpha_on=hard temperature=4", rti_labels_alone, true},
    {"alpha 1 is T^2 KL", "alpha=1 temperature=4", kl_alone, true},
    {"alpha 0 on the labels is T^2 KL", "alpha=0 alpha_on=hard temperature=4", kl_alone, true},
    {"the convention", "alpha=0.75 temperature=3", convention, false},
    {"the same with free weights", "weights=free hard_weight=0.25 soft_weight=0.75 temperature=3", convention,
     false},
    {"the student first", "alpha=1 temperature=3 direction=student-first", reversed, false},
    {"averaged over classes", "alpha=1 temperature=3 reduction=mean", over_classes, false},
    {"without T^2", "alpha=1 temperature=3 t_squared=false", not_squared, false},
};

/* ---- what others publish as KD ---- */

static const rti_preset presets[] = {
    {"retort", "", "retort's convention: (1-alpha) CE + alpha T^2 KL(teacher || student), alpha 0.9, T 4"},
    {"hinton", "soft=cross-entropy temperature=20 alpha=0.9",
     "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2: weighted average with the soft "
     "cross-entropy times T^2, T 20 on MNIST; the weight is only said to be considerably lower on the "
     "labels, 0.9 is ours"},
    {"attention-transfer", "alpha=0.9 temperature=4",
     "szagoruyko/attention-transfer, with beta 0: (1-a) CE + a T^2 KL summed and divided by the batch"},
    {"repdistiller", "weights=free hard_weight=0.1 soft_weight=0.9 temperature=4",
     "HobbitLong/RepDistiller, its KD command: gamma CE + alpha T^2 KL, gamma 0.1, alpha 0.9, independent "
     "weights"},
    {"mdistiller", "weights=free hard_weight=0.1 soft_weight=0.9 temperature=4",
     "megvii-research/mdistiller on CIFAR: 0.1 CE + 0.9 T^2 KL (ImageNet: T 1, 0.5 and 0.5)"},
    {"torchdistill", "alpha_on=hard alpha=0.9 temperature=4",
     "yoshitomo-matsubara/torchdistill on CIFAR: alpha CE + (1-alpha) T^2 KL, alpha 0.9 on the labels"},
    {"haitongli", "reduction=mean alpha=0.9 temperature=4",
     "haitongli/knowledge-distillation-pytorch: KL averaged over classes too, K times too small; T and "
     "alpha are a grid there, the values here are retort's; its MNIST script doubles the soft weight"},
    {"takd", "reduction=mean alpha=0.9 temperature=4",
     "Mirzadeh et al. 2020 and Yuan et al. 2020 (Tf-KD), their code: KL averaged over classes too; "
     "weights 0.05 ... 1 and T 1 ... 20 are a grid there, the values here are retort's"},
    {"kd-zoo", "weights=free hard_weight=1 soft_weight=0.1 temperature=4",
     "AberHu/Knowledge-Distillation-Zoo, \"ST\": CE + lambda T^2 KL, lambda 0.1, the labels always at "
     "weight 1"},
    {"textbrewer",
     "weights=free hard_weight=0 soft_weight=1 soft=cross-entropy t_squared=false temperature=4",
     "airaria/TextBrewer: soft cross-entropy, no T^2, no labels by default"},
    {"mmrazor", "weights=free hard_weight=1 soft_weight=3 temperature=1",
     "open-mmlab/mmrazor, ResNet-34 to 18: CE + 3 tau^2 KL, tau 1"},
    {"mmrazor-fitnets", "weights=free hard_weight=1 soft_weight=10 temperature=6 reduction=mean",
     "open-mmlab/mmrazor, the KD part of its FitNets configuration: tau 6, weight 10, reduction mean"},
    {"intellabs", "weights=free hard_weight=0.5 soft_weight=0.5 temperature=1",
     "IntelLabs/distiller: student_weight CE + distill_weight T^2 KL, T 1, 0.5 and 0.5"},
    {"gnosis", "alpha_on=hard alpha=0.9 t_squared=false temperature=4",
     "samuelstanton/gnosis: alpha CE + (1-alpha) KL, alpha 0.9 on the labels, no T^2 seen"},
    {"keras-io", "alpha_on=hard alpha=0.1 t_squared=false temperature=10",
     "the keras.io example before PR #870: alpha CE + (1-alpha) KL with T^2 left out; the values of alpha "
     "and T are unverified"},
    {"fitnets", "weights=free hard_weight=1 soft_weight=4 soft=cross-entropy t_squared=false temperature=3",
     "Romero et al. 2015, arXiv 1412.6550, stage 2: CE + lambda soft CE, tau 3, no T^2; lambda falls from "
     "4 to 1 there, this is its start"},
    {"mnn", "alpha=0.9 temperature=20 direction=student-first",
     "alibaba/MNN, _DistillLoss: alpha T^2 KL(student || teacher) + (1-alpha) CE, the direction reversed; "
     "demo values"},
    {"darknet",
     "weights=free hard_weight=0.1 soft_weight=0.9 soft=cross-entropy t_squared=false temperature=1",
     "darknet, train_cifar_distill: targets 0.1 onehot + 0.9 soft, no temperature"},
};

const rti_method rti_method_kd = {
    .name = "kd",
    .title = "knowledge distillation: the teacher's softened answers as targets",
    .source = "Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 2",
    .formula = "L = (1 - alpha) CE(y, softmax(z)) + alpha T^2 KL(softmax(v/T) || softmax(z/T))",
    .explanation =
        "A trained teacher does not only name the right class: it also says which wrong ones are plausible. "
        "At a temperature above 1 these small probabilities become large enough to learn from, and the "
        "student is trained on them beside the labels. It costs one pass of the teacher, which the cache "
        "keeps, needs nothing but logits, and is the baseline for every other method. Published code "
        "differs in the factor T^2, the reduction, the direction and in what alpha multiplies: the presets "
        "say who does what. (Self-training, born-again networks and Tf-KD's self form are this method with "
        "a teacher of the student's own kind.)",
    .needs = RTI_NEEDS_TEACHER_LOGITS,
    .rows = rows,
    .row_count = RTI_COUNT(rows),
    .presets = presets,
    .preset_count = RTI_COUNT(presets),
    .check = kd_check,
    .contract = kd_contract,
    .is_labels_only = kd_is_labels_only,
    .temperature = kd_temperature,
    .loss = kd_loss,
    .cases = cases,
    .case_count = RTI_COUNT(cases),
};
RTI_REGISTER(method, kd)
