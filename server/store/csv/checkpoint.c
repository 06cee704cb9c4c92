#include "checkpoint.h"

#include "journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum status checkpoint_read(const struct data_dir *data_dir, struct draw *draw,
                            struct bets_extent *extent, struct errbuf *err)
{
    struct journal_header header;
    uint64_t end;

    *extent = (struct bets_extent){0};
    int fd = data_dir_open_file(data_dir, JOURNAL_NAME, O_RDONLY);
    if (fd < 0) {
        errbuf_set(err, JOURNAL_NAME ": %s", strerror(errno));
        return status_from_errno(errno);
    }
    enum status status = journal_file_read_header(data_dir->ops, fd, &header, err);
    if (status == STATUS_OK)
        status =
            journal_file_read_checkpoint(data_dir->ops, fd, header.stamp, draw, extent, &end, err);
    (void)close(fd);
    return status;
}
