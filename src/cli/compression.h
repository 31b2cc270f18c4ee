/* compression.h - `retort report --compression`.                       Floor 9 (cli) */
#ifndef RTI_CLI_COMPRESSION_H
#define RTI_CLI_COMPRESSION_H

#include "cli/command.h"

/* True when one of the words asks for it. */
bool rti_wants_compression(int argc, char **argv);
/* argv[0] is "report". Returns the exit status. `command` is whose usage is pointed to. */
int rti_compression_run(const rti_command *command, int argc, char **argv);

#endif
