#!/usr/bin/env python3
"""Puts a fault back into copies of the code under test, to show that the simulator finds it.

    put_fault.py NAME OUT SOURCE...

Writes a copy of each source that the fault NAME changes: OUT-0.c, OUT-1.c, ... A text that is to be
changed has to be in exactly one of the sources, wherever it has moved; if it is gone, the fault
has to be written again for the code as it is now.
"""

import sys

FAULTS = {
    # A group is acknowledged although the directory, or a file, is somewhere else by now.
    "not_in_place": [
        ("if (status == STATUS_OK && !commit_is_in_place(self, err))", "if (false)"),
    ],
    # Of the files, only the directory is looked for.
    "file_replaced": [
        ("           commit_has_file(self, &self->journal_id, JOURNAL_NAME, err);\n", "           true;\n"),
    ],
    # A torn batch of the first release counts.
    "old_torn": [(" && crcs[0] != record->data_crc)\n", " && false)\n")],
    # Without space for a new journal, the one of the first release goes on.
    "old_goes_on": [
        (
            "status == STATUS_NOSPACE && !is_new && !report->is_carried_over",
            "status == STATUS_NOSPACE && !is_new",
        ),
    ],
    # The checksum of a MiB is noted only if a piece ends with it.
    "chunks": [("if (step == room)", "if (step == room && step == size)")],
    # Workers cannot read the winners, and nobody looks what has become of them.
    "winners_lost": [
        ("core->are_right[operation->files] = !is_lost;", "core->are_right[operation->files] |= !is_lost;"),
    ],
    # The seal is not in the checkpoint.
    "seal_forgotten": [("    if (draw->is_sealed)\n        on_item(&sealed, context);\n", "")],
    # A draw that is to be sealed may have its number at once.
    "unsealed_number": [
        (" && draw->is_sealed == draw->terms.has_seal;", ";"),
        (
            "    if (news->terms.has_seal && !news->has_seal)\n        return STORE_SEAL;\n",
            "",
        ),
        (
            '    if (news->terms.has_seal && !news->has_seal)\n        return "the seal',
            '    if (false)\n        return "the seal',
        ),
    ],
    # A copy has bets that are not on disk.
    "unsynced_copy": [
        (
            "        return STATUS_GONE;\n    if (self->bets_synced < self->bets_size)\n"
            "        status = commit_sync_bets(self, err);\n    if (status != STATUS_OK)\n"
            "        return status;\n    status = journal_file_encode",
            "        return STATUS_GONE;\n    status = journal_file_encode",
        ),
    ],
    # Bets are taken after the closing, of agencies that have not finished.
    "late_bets": [("    if (draw->phase != DRAW_OPEN || agency->has_finished)\n", "    if (agency->has_finished)\n")],
    # Of the beginning of a frame, the last byte is forgotten.
    "short_frame": [(".kept_end = size, .kept_capacity", ".kept_end = size - 1, .kept_capacity")],
    # A record that the store had no memory for still counts.
    "no_memory": [("    draw_undo(core->config.draw, record);\n    return (struct", "    return (struct")],
    # The fault that this design was made against: everybody hears that an agency has finished
    # before the bets that it sent before are committed, and the draw is closed over what was. The
    # last three are what would refuse such a draw today.
    "finished_first": [
        (
            "    core_judge(core, operation, &copy);\n",
            "    core_judge(core, operation, &copy);\n    core_send_news(core);\n",
        ),
        (
            "record->closed.extent = self->extent.size;",
            "record->closed.extent = self->bets_size;",
        ),
        (
            "    ASSERT(draw->phase < DRAW_CLOSED || draw->closed.extent == extent->size);\n",
            "",
        ),
        ("closed.closed.extent != little_get64(bytes + AT_BETS) || ", ""),
        (
            "    return record->draw.closed.extent == self->extent.size &&\n"
            "           record->draw.closed.bets == self->draw->bets;\n",
            "    return true;\n",
        ),
    ],
    # The journal may get its name before bets.csv has.
    "names_in_order": [
        (
            "    if (commit->data_dir->ops->fdatasync(commit->data_dir->fd) < 0)\n"
            '        return file_fail(err, "syncing the folder", status_from_errno(errno));\n',
            "",
        ),
    ],
    # What has the name of the new journal may be the journal.
    "rename_atomic": [
        (
            "    if (data_dir->ops->unlinkat(data_dir->fd, JOURNAL_NEW_NAME) < 0 && errno != ENOENT)\n"
            "        return status_from_errno(errno);\n"
            "    file->fd = data_dir_open_file(data_dir, JOURNAL_NEW_NAME, O_RDWR | O_CREAT | O_EXCL);\n",
            "    file->fd = data_dir_open_file(data_dir, JOURNAL_NEW_NAME, O_RDWR | O_CREAT | O_TRUNC);\n",
        ),
    ],
}


def put(name, out, paths):
    texts = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            texts[path] = file.read()
    changed = []
    for old, new in FAULTS[name]:
        where = [path for path in paths if old in texts[path]]
        if len(where) != 1 or texts[where[0]].count(old) != 1:
            sys.exit(f"{name}: is in {len(where)} sources, and has to be in one place:\n{old}")
        texts[where[0]] = texts[where[0]].replace(old, new)
        if where[0] not in changed:
            changed.append(where[0])
    for index, path in enumerate(changed):
        with open(f"{out}-{index}.c", "w", encoding="utf-8") as file:
            file.write(texts[path])


if __name__ == "__main__":
    put(sys.argv[1], sys.argv[2], sys.argv[3:])
