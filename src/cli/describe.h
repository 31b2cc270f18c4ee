/* describe.h - retort data describe.                                   Floor 9 (cli) */
#ifndef RTI_CLI_DESCRIBE_H
#define RTI_CLI_DESCRIBE_H

/* argv[0] is "describe"; returns an exit code. */
int rti_data_describe(int argc, char **argv);

#endif
