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

#endif
