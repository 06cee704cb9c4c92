/* Are winners.csv and its index those of a draw?
 *
 * Happy path: winners.csv has the size and the checksum that the draw recorded. The head of the
 * index names the same size and checksum and has one of its own, and the documents have those that
 * its table says. Both files are read once, whatever is in them.
 *
 * Failure modes: a file is missing, is not right, or cannot be read.
 */
#include "winner_files.h"

#include <inttypes.h>
#include <unistd.h>

static enum status winner_check_lines(const struct file_ops *ops, int dir_fd,
                                      const struct draw_drawn *drawn, struct errbuf *err)
{
    uint64_t size;
    uint32_t crc = 0;
    int fd;

    enum status status = file_open(ops, dir_fd, WINNERS_NAME, &fd, &size, err);
    if (status != STATUS_OK)
        return status;
    if (size == drawn->winners_size)
        status = file_crc(ops, fd, 0, size, &crc);
    (void)close(fd);
    if (status != STATUS_OK)
        return file_fail(err, WINNERS_NAME, status);
    if (size == drawn->winners_size && crc == drawn->winners_crc)
        return STATUS_OK;
    errbuf_set(err, WINNERS_NAME ": not the file that the draw wrote (%" PRIu64 " bytes)",
               drawn->winners_size);
    return STATUS_DAMAGED;
}

enum status winner_files_check(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                               const struct draw_drawn *drawn, struct errbuf *err)
{
    struct winner_index *index;

    enum status status = winner_check_lines(ops, dir_fd, drawn, err);
    if (status != STATUS_OK)
        return status;
    status = winner_index_open(ops, dir_fd, agencies, drawn, &index, err);
    if (status != STATUS_OK)
        return status;
    status = winner_index_verify(index, err);
    winner_index_close(index);
    return status;
}
