/* specs.h - small specs for the tests of src/experiment. */
#ifndef TEST_SPECS_H
#define TEST_SPECS_H

/* Trains in a moment: 120 drawn digits, 40 to choose on, 60 to test on. */
#define TEST_SPEC_HEAD                                       \
    "name = \"tiny\"\n"                                      \
    "seeds = [1, 2]\n"                                       \
    "[data]\n"                                               \
    "set = \"digits\"\n"                                     \
    "digits = { train = 160, test = 60 }\n"                  \
    "validation = 40\n"                                      \
    "batch = 20\n"                                           \
    "[teacher]\n"                                            \
    "hidden = [16]\n"                                        \
    "epochs = 2\n"                                           \
    "[student]\n"                                            \
    "hidden = [8]\n"                                         \
    "epochs = 2\n"                                           \
    "optimizer = { name = \"sgd\", lr = 0.1 }\n"             \
    "[distill]\n"                                            \
    "method = \"kd\"\n"

#define TEST_SPEC                                            \
    TEST_SPEC_HEAD                                           \
    "temperature = 4.0\n"                                    \
    "alpha = 0.9\n"                                          \
    "[sweep]\n"                                              \
    "\"distill.temperature\" = [1, 4]\n"                     \
    "\"distill.alpha\" = [0.0, 0.5]\n"

/* A comparison: two rows with a grid, one with a label of its own, one without keys, a sum. */
#define TEST_COMPARE_HEAD                                    \
    "name = \"tiny\"\n"                                     \
    "seeds = [1, 2]\n"                                      \
    "[data]\n"                                              \
    "set = \"digits\"\n"                                    \
    "digits = { train = 160, test = 60 }\n"                 \
    "validation = 40\n"                                     \
    "batch = 20\n"                                          \
    "[teacher]\n"                                           \
    "hidden = [16]\n"                                       \
    "epochs = 2\n"                                          \
    "[assistant]\n"                                         \
    "hidden = [12]\n"                                       \
    "epochs = 2\n"                                          \
    "[student]\n"                                           \
    "hidden = [8]\n"                                        \
    "epochs = 2\n"                                          \
    "optimizer = { name = \"sgd\", lr = 0.1 }\n"

#define TEST_COMPARE_ROWS                                    \
    "[compare.kd]\n"                                        \
    "temperature = [1, 4]\n"                                \
    "alpha = 0.9\n"                                         \
    "[compare.chain]\n"                                     \
    "method = \"kd\"\n"                                     \
    "schedule = \"takd\"\n"                                 \
    "temperature = [2, 3]\n"                                \
    "[compare.\"kd+logit-mse\"]\n"                          \
    "\"kd.alpha\" = 0.5\n"                                  \
    "[compare.label-smoothing]\n"

#define TEST_COMPARE                                         \
    TEST_COMPARE_HEAD                                        \
    "[compare]\n"                                           \
    "tune = { epochs = 1, seeds = [101] }\n"                \
    TEST_COMPARE_ROWS

#endif
