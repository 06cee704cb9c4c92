#include "file_check.h"

#include "bets_file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static void file_check_print(const struct bets_findings *findings)
{
    for (size_t i = 0; i < findings->faults_count; i++)
        (void)puts(findings->faults[i].text);
    for (size_t i = 0; i < findings->warnings_count; i++)
        (void)printf("%s (a warning)\n", findings->warnings[i].text);
}

int file_check(const char *path, const struct client_settings *settings)
{
    struct bets_file *file;
    struct errbuf err = {{0}};
    bool is_done = false;

    enum status status = bets_file_open(path, &settings->bets_format, settings->id, &file, &err);
    if (status != STATUS_OK) {
        (void)puts(err.text);
        return EXIT_FAILURE;
    }
    while (status == STATUS_OK && !is_done)
        status = bets_file_check(file, &is_done, &err);
    file_check_print(bets_file_findings(file));
    if (status == STATUS_OK)
        (void)printf("%" PRIu64 " bets, fit\n", bets_file_rows(file));
    else if (status != STATUS_INVALID)
        (void)puts(err.text); /* it could not be read to its end */
    bets_file_close(file);
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
