/* The journal's bytes: what a draw that nobody runs writes is what it always was; what others write
 * is read as it was written, and nothing else is. */
#include "cmocka_all.h"

#include "alloc_fault.h"
#include "clock.h"
#include "crc32c.h"
#include "guard.h"
#include "journal.h"
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

static struct store_fixture f; /* too large for the stack of a test */

/* A small reserve of zeros, and no new journal file but at the closing and at the end. */
static const struct commit_limits golden_limits = {.inline_max = 200,
                                                   .sync_after = 1 << 20,
                                                   .journal_max = 1 << 20,
                                                   .bets_max = 1 << 20,
                                                   .reserve = 512};

static uint64_t fixed_ms(void)
{
    return 1000;
}

static time_t fixed_s(void)
{
    return 1718452800;
}

static uint32_t fixed_random(void)
{
    return 0x5eedf00d;
}

static const struct clock_source fixed_clock = {fixed_ms, fixed_s, fixed_random};

static void open_golden(const char *dir, uint32_t agencies)
{
    if (store_fixture_open(&f, dir, &file_ops_system, &golden_limits, agencies) != STATUS_OK)
        fail_msg("%s", f.err.text);
}

/* Every type of record that such a draw has. */
static void write_golden_records(const char *dir)
{
    open_golden(dir, STORE_AGENCIES - 1);
    assert_int_equal(store_fixture_append(&f, 1, 0, 2), STATUS_OK); /* lines in the journal */
    assert_int_equal(store_fixture_append(&f, 2, 0, 9), STATUS_OK); /* and in bets.csv alone */
    struct draw_record agencies = {.type = DRAW_AGENCIES, .agencies = STORE_AGENCIES};
    assert_int_equal(store_fixture_add_record(&f, agencies), STATUS_OK);
    assert_int_equal(store_fixture_add(&f, 4, 0, 1), STATUS_OK);
    assert_int_equal(store_fixture_commit(&f), STATUS_OK);
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++)
        assert_int_equal(store_fixture_finish(&f, i, draw_received(&f.draw, i)), STATUS_OK);
    assert_int_equal(store_fixture_end_draw(&f), STATUS_OK);
}

/* Compares the folder with DATA_DIR/name. */
static void assert_golden(const char *dir, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", DATA_DIR, name);
    struct folder wanted = folder_read(path);
    struct folder is = folder_read(dir);

    for (size_t file = 0; file < FOLDER_FILES; file++) {
        assert_int_equal(is.sizes[file], wanted.sizes[file]);
        for (size_t at = 0; at < is.sizes[file]; at++) {
            if (is.bytes[file][at] != wanted.bytes[file][at])
                fail_msg("%s: byte %zu of %s differs", name, at, folder_names[file]);
        }
    }
    folder_free(&wanted);
    folder_free(&is);
}

/* All bytes of its files are those that earlier releases wrote: records and checkpoints, before the
 * closing, after it, and after the draw. */
static void default_draws_are_as_they_were(void **state)
{
    clock_replace(&fixed_clock);
    write_golden_records(*state);
    assert_golden(*state, "v2-records");
    assert_int_equal(store_maintain(f.store, false, &f.err), STATUS_OK);
    assert_golden(*state, "v2-closed");
    assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    assert_golden(*state, "v2-held");
    store_fixture_close(&f);
    assert_golden(*state, "v2-drawn");
    clock_replace(NULL);
}

/* Such files open with what they have. */
static void opens_folders_of_earlier_releases(void **state)
{
    static const char *const names[] = {"v2-records", "v2-closed", "v2-held", "v2-drawn"};

    for (size_t i = 0; i < 4; i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", DATA_DIR, names[i]);
        struct folder folder = folder_read(path);
        folder_write(*state, &folder);
        folder_free(&folder);
        open_golden(*state, STORE_AGENCIES);
        assert_int_equal(f.draw.phase, i < 2 ? DRAW_CLOSED : DRAW_DRAWN);
        assert_int_equal(f.draw.bets, 12);
        assert_int_equal(f.draw.finished, STORE_AGENCIES);
        assert_int_equal(f.draw.closed.time_s, 1700000000);
        assert_int_equal(f.draw.closed.by, DRAW_BY_ALL_FINISHED);
        assert_int_equal(f.draw.terms.mode, DRAW_AUTO);
        assert_false(f.draw.terms.has_seal);
        assert_int_equal(f.draw.acts_count, 0);
        assert_int_equal(f.report.bets_torn + f.report.journal_torn, 0);
        store_fixture_close(&f);
    }
}

/* Where things are in a record and a checkpoint; see docs/disk-format.md. */
enum {
    AT_SIZE = 4,
    AT_TYPE = 8,
    AT_FLAGS = 9,
    AT_BODY = 48,
    AT_TABLES = 168,
    STAMP = 7,
    PLACE = 9000 /* offset of a record in these tests */
};

static const struct journal_mark mark = {
    .stamp = STAMP, .at = PLACE, .synced = 3, .bets_synced = 4};

static void put_number(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t number_at(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    while (size-- > 0)
        value = value << 8 | at[size];
    return value;
}

/* Corrects the checksum of a record of `size` bytes without lines. */
static void seal(uint8_t *record, size_t size)
{
    put_number(record, crc32c(0, record + AT_SIZE, size - AT_SIZE), 4);
}

static struct draw_record opened_with(struct draw_terms terms)
{
    return (struct draw_record){.type = DRAW_OPENED, .opened = {.agencies = 3, .terms = terms}};
}

static struct draw_record drawing(const char *source)
{
    return (struct draw_record){.type = DRAW_DRAWING,
                                .drawn = {.time_s = 0x0102030405060708,
                                          .winner_number = 4711,
                                          .winners = 2,
                                          .winners_size = 20,
                                          .winners_crc = 0xabcdef01,
                                          .uid = 1000,
                                          .source = text_of(source),
                                          .root = "0123456789abcdefghijklmnopqrstu"}};
}

static struct draw_record act(const char *text)
{
    return (struct draw_record){.type = DRAW_ACT,
                                .act = {.time_s = 1700000002, .uid = 1001, .text = text_of(text)}};
}

static const struct draw_terms plain = {.mode = DRAW_AUTO};
static const struct draw_terms manual = {
    .mode = DRAW_MANUAL, .has_seal = true, .close_at_s = 0x1122334455, .id = "2026-11-25-nocturna"};

static const char longest_text[] = /* DRAW_TEXT_MAX bytes */
    "12345678901234567890123456789012345678901234567890"
    "12345678901234567890123456789012345678901234567890"
    "12345678901234567890123456789012345678901234567890"
    "12345678901234567890123456789012345678901234567890";

/* Records of all types and forms, each with the terms of its draw. */
static size_t all_records(struct draw_record *records, struct draw_terms *terms)
{
    const struct draw_terms longest_id = {
        .mode = DRAW_AUTO,
        .id = "1234567890123456789012345678901234567890123456789012345678901234"};
    size_t count = 0;
    const struct {
        struct draw_terms terms;
        struct draw_record record;
    } all[] = {
        {plain, opened_with(plain)},
        {manual, opened_with(manual)},
        {longest_id, opened_with(longest_id)},
        {plain, {.type = DRAW_AGENCIES, .agencies = 4}},
        {plain, {.type = DRAW_FINISHED, .finished = {.agency = 2, .total = 7}}},
        {plain, {.type = DRAW_CLOSING, .closed = {1, DRAW_BY_ALL_FINISHED, 0, 5, 6, "salt"}}},
        {manual, {.type = DRAW_CLOSING, .closed = {1, DRAW_BY_OPERATOR, 1000, 5, 6, "salt"}}},
        {manual, {.type = DRAW_SEALING, .sealed = {1700000001, "a root of thirty-two bytes"}}},
        {plain, {.type = DRAW_DRAWING, .drawn = {.time_s = 5, .winner_number = 7574}}},
        {longest_id, {.type = DRAW_DRAWING, .drawn = {.time_s = 5, .winner_number = 7574}}},
        {{.has_seal = true}, drawing("")},
        {manual, drawing("")},
        {manual, drawing("tv")},
        {manual, drawing(longest_text)},
        {manual, act("x")},
        {plain, act("close: refused, it is a draw that nobody runs")},
        {manual, act(longest_text)},
    };

    for (; count < sizeof(all) / sizeof(all[0]); count++) {
        records[count] = all[count].record;
        terms[count] = all[count].terms;
    }
    return count;
}

#define RECORDS_MAX 32

/* A whole record; returns its size. */
static size_t make_record(const struct draw_record *record, const struct draw_terms *terms,
                          uint8_t out[JOURNAL_FIXED_MAX])
{
    memset(out, 0xee, JOURNAL_FIXED_MAX);
    size_t size = journal_encode(record, terms, NULL, out);
    assert_int_equal(journal_size_of(out), size);
    assert_int_equal(journal_lines_of(out), 0);
    assert_int_equal(journal_seal(out, false, &mark), size);
    assert_true(size % 8 == 0 && size >= JOURNAL_FIXED_MIN && size <= JOURNAL_FIXED_MAX);
    return size;
}

static bool decode(const uint8_t *bytes, size_t size, struct journal_record *out)
{
    return journal_decode(bytes, size, STAMP, PLACE, out);
}

/* What is read is written as the same bytes again. */
static void assert_written_again(const struct journal_record *record,
                                 const struct draw_terms *terms, const uint8_t *bytes, size_t size)
{
    uint8_t again[JOURNAL_FIXED_MAX];

    assert_int_equal(make_record(&record->draw, terms, again), size);
    assert_memory_equal(again + AT_BODY, bytes + AT_BODY, size - AT_BODY);
}

/* Every record is read as it was written; a part of it is none, nor is one in another place or of
 * another file, or one in which a bit has changed. */
static void reads_what_was_written(void **state)
{
    struct draw_record records[RECORDS_MAX];
    struct draw_terms terms[RECORDS_MAX];
    size_t count = all_records(records, terms);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[JOURNAL_FIXED_MAX];
        struct journal_record found;
        size_t size = make_record(&records[i], &terms[i], bytes);
        for (size_t there = 0; there <= size; there++) {
            struct guarded part = guarded_copy(bytes, there);
            assert_int_equal(decode(part.bytes, there, &found), there == size);
            if (there == size) {
                assert_int_equal(found.draw.type, records[i].type);
                assert_int_equal(found.size, size);
                assert_int_equal(found.fixed_size, size);
                assert_int_equal(found.mark.synced, 3);
                assert_written_again(&found, &terms[i], bytes, size);
            }
            guarded_free(&part);
        }
        assert_false(journal_decode(bytes, size, STAMP, PLACE + 8, &found));
        assert_false(journal_decode(bytes, size, STAMP + 1, PLACE, &found));
        for (size_t at = 0; at < size * 8; at++) {
            bytes[at / 8] ^= (uint8_t)(1 << at % 8);
            assert_false(decode(bytes, size, &found));
            bytes[at / 8] ^= (uint8_t)(1 << at % 8);
        }
    }
}

/* Changes each byte of type, flags, size and body to each value that a bit or a step away, as
 * somebody would who corrects the checksum: what is taken is a record that would be written so. */
static void takes_only_what_it_would_write(void **state)
{
    static const uint8_t changes[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    struct draw_record records[RECORDS_MAX];
    struct draw_terms terms[RECORDS_MAX];
    size_t count = all_records(records, terms);
    size_t taken = 0;
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[JOURNAL_FIXED_MAX];
        size_t size = make_record(&records[i], &terms[i], bytes);
        bool has_one_form =
            records[i].type != DRAW_SEALING && records[i].type != DRAW_ACT && size < AT_BODY + 72;
        for (size_t at = AT_SIZE; at < size; at = at == 15 ? AT_BODY : at + 1) {
            for (size_t c = 0; c < sizeof(changes); c++) {
                struct journal_record found;
                uint8_t before = bytes[at];
                bytes[at] ^= changes[c];
                seal(bytes, size);
                bool is_taken = decode(bytes, JOURNAL_FIXED_MAX, &found);
                if (is_taken && !has_one_form)
                    assert_written_again(&found, &terms[i], bytes, size);
                if (at < AT_BODY)
                    assert_false(is_taken);
                taken += is_taken;
                refused += !is_taken;
                bytes[at] = before;
            }
        }
    }
    assert_true(taken > 1000 && refused > 1000);
}

/* Bytes that are valid by their checksum, but no record. */
static void refuses_what_cannot_be(void **state)
{
    static const struct {
        const char *what;
        size_t record; /* of all_records() */
        size_t at;
        uint64_t value;
        size_t size;
    } cases[] = {
        {"no type", 0, AT_TYPE, 0, 1},
        {"a type after the last one", 0, AT_TYPE, DRAW_ACT + 1, 1},
        {"a checkpoint in the place of a record", 0, AT_TYPE, 16, 1},
        {"a type of tomorrow", 0, AT_TYPE, 255, 1},
        {"lines of no bets", 4, AT_FLAGS, 1, 1},
        {"a flag of a checkpoint", 4, AT_FLAGS, 2, 1},
        {"a flag of tomorrow", 4, AT_FLAGS, 4, 1},
        {"a byte that is zero today", 4, 15, 1, 1},
        {"a huge size", 14, AT_SIZE, 0xfffffff8, 4},
        {"a size of zero", 14, AT_SIZE, 0, 4},
        {"a size without a body", 14, AT_SIZE, AT_BODY, 4},
        {"far too many agencies", 0, AT_BODY, 1000001, 4},
        {"far too many agencies, and terms", 1, AT_BODY, 1000001, 4},
        {"a huge id", 1, AT_BODY + 10, 255, 1},
        {"an id with a zero in it", 1, AT_BODY + 26, 0, 1},
        {"an id that ends early", 1, AT_BODY + 10, 3, 1},
        {"half a seal", 1, AT_BODY + 9, 2, 1},
        {"bytes after the id", 1, AT_BODY + 88, 1, 8},
        {"terms that say nothing", 2, AT_BODY + 8, 0, 80},
        {"a huge text", 14, AT_BODY + 12, 0xffffffff, 4},
        {"a text that is longer than its record", 14, AT_BODY + 12, 9, 4},
        {"a text that is shorter", 14, AT_BODY + 12, 0, 4},
        {"bytes after the text", 14, AT_BODY + 23, 1, 1},
        {"a huge source", 12, AT_BODY + 36, 0xfffffff9, 4},
        {"a source that is longer than its record", 12, AT_BODY + 36, 9, 4},
    };
    struct draw_record records[RECORDS_MAX];
    struct draw_terms terms[RECORDS_MAX];

    (void)state;
    (void)all_records(records, terms);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[JOURNAL_FIXED_MAX];
        struct journal_record found;
        size_t size = make_record(&records[cases[i].record], &terms[cases[i].record], bytes);
        assert_true(decode(bytes, size, &found));
        if (cases[i].size <= 8)
            put_number(bytes + cases[i].at, cases[i].value, cases[i].size);
        else
            memset(bytes + cases[i].at, 0, cases[i].size);
        seal(bytes, size);
        if (decode(bytes, size, &found))
            fail_msg("taken: %s", cases[i].what);
    }
}

/* A text that fills its record and is longer than any may be. */
static void refuses_a_text_that_is_too_long(void **state)
{
    struct draw_record record = act(longest_text);
    uint8_t bytes[JOURNAL_FIXED_MAX];
    struct journal_record found;

    (void)state;
    for (size_t text = DRAW_TEXT_MAX; text <= DRAW_TEXT_MAX + 40; text++) {
        size_t size = AT_BODY + 16 + (text + 7) / 8 * 8;
        (void)make_record(&record, &manual, bytes);
        memset(bytes + AT_BODY + 16, 'x', text);
        memset(bytes + AT_BODY + 16 + text, 0, size - AT_BODY - 16 - text);
        put_number(bytes + AT_BODY + 12, text, 4);
        put_number(bytes + AT_SIZE, size, 4);
        seal(bytes, size);
        assert_int_equal(decode(bytes, size, &found), text == DRAW_TEXT_MAX);
    }
}

/* The bytes are those of docs/disk-format.md. */
static void writes_the_documented_bodies(void **state)
{
    uint8_t bytes[JOURNAL_FIXED_MAX];
    const uint8_t *body = bytes + AT_BODY;
    struct draw_record record = opened_with(manual);
    static const uint8_t zeros[64];

    (void)state;
    assert_int_equal(make_record(&record, &manual, bytes), AT_BODY + 96);
    assert_int_equal(number_at(body, 4), 3);
    assert_int_equal(number_at(body + 4, 4), 0);
    assert_int_equal(number_at(body + 8, 8), 1 | 1 << 8 | 19 << 16);
    assert_int_equal(number_at(body + 16, 8), 0x1122334455);
    assert_memory_equal(body + 24, "2026-11-25-nocturna", 19);
    assert_memory_equal(body + 43, zeros, 53);

    record = (struct draw_record){.type = DRAW_CLOSING,
                                  .closed = {9, DRAW_BY_OPERATOR, 1000, 5, 6, "salt"}};
    assert_int_equal(make_record(&record, &manual, bytes), AT_BODY + 64);
    assert_int_equal(number_at(body, 8), 9);
    assert_int_equal(number_at(body + 8, 4), 3);
    assert_int_equal(number_at(body + 12, 4), 1000);
    assert_int_equal(number_at(body + 16, 8), 5);
    assert_int_equal(number_at(body + 24, 8), 6);
    assert_string_equal((const char *)body + 32, "salt");

    record = (struct draw_record){.type = DRAW_SEALING, .sealed = {77, "a root"}};
    assert_int_equal(make_record(&record, &manual, bytes), AT_BODY + 40);
    assert_int_equal(number_at(bytes + AT_TYPE, 8), 7);
    assert_int_equal(number_at(body, 8), 77);
    assert_string_equal((const char *)body + 8, "a root");

    record = drawing("tv, room 4");
    assert_int_equal(make_record(&record, &manual, bytes), AT_BODY + 72 + 16);
    assert_int_equal(number_at(body, 8), 0x0102030405060708);
    assert_int_equal(number_at(body + 8, 4), 4711);
    assert_int_equal(number_at(body + 12, 4), 0xabcdef01);
    assert_int_equal(number_at(body + 16, 8), 2);
    assert_int_equal(number_at(body + 24, 8), 20);
    assert_int_equal(number_at(body + 32, 4), 1000);
    assert_int_equal(number_at(body + 36, 4), 10);
    assert_memory_equal(body + 40, record.drawn.root, 32);
    assert_memory_equal(body + 72, "tv, room 4\0\0\0\0\0\0", 16);

    record = act("close");
    assert_int_equal(make_record(&record, &manual, bytes), AT_BODY + 24);
    assert_int_equal(number_at(bytes + AT_TYPE, 8), 8);
    assert_int_equal(number_at(body, 8), 1700000002);
    assert_int_equal(number_at(body + 8, 4), 1001);
    assert_int_equal(number_at(body + 12, 4), 5);
    assert_memory_equal(body + 16, "close\0\0\0", 8);
}

/* --- checkpoints */

enum stage { OPEN, ACTED, CLOSED, SEALED, DRAWN, STAGES };

static void apply(struct draw *draw, struct draw_record record)
{
    assert_true(draw_apply(draw, &record).is_recorded);
}

/* The state of a draw with `terms` at that stage; 100 bytes of bets are closed. */
static void make_draw(const struct draw_terms *terms, enum stage stage, struct draw *draw)
{
    struct draw_record number = drawing("tv");

    draw_init(draw);
    apply(draw, opened_with(*terms));
    apply(draw, (struct draw_record){.type = DRAW_BETS, .bets = {.agency = 1, .count = 3}});
    if (stage >= ACTED) {
        apply(draw, act("close"));
        apply(draw, act(longest_text));
    }
    if (terms->mode == DRAW_MANUAL && stage >= CLOSED) {
        apply(draw, (struct draw_record){.type = DRAW_CLOSING,
                                         .closed = {9, DRAW_BY_OPERATOR, 1000, 0, 100, "salt"}});
    } else if (stage >= CLOSED) {
        for (uint32_t i = 1; i <= draw->agencies; i++)
            apply(draw,
                  (struct draw_record){.type = DRAW_FINISHED,
                                       .finished = {.agency = i, .total = draw_received(draw, i)}});
        apply(draw, (struct draw_record){.type = DRAW_CLOSING,
                                         .closed = {9, DRAW_BY_ALL_FINISHED, 0, 0, 100, "salt"}});
        number.drawn.winner_number = draw->winner_number;
        number.drawn.uid = 0;
        number.drawn.source.size = 0;
    }
    if (terms->has_seal && stage >= SEALED)
        apply(draw, (struct draw_record){.type = DRAW_SEALING, .sealed = {77, "a root"}});
    if (stage == DRAWN)
        apply(draw, number);
}

/* Its checkpoint. */
static void encode_checkpoint(const struct draw *draw, struct buffer *out)
{
    const struct journal_mark own = {.stamp = STAMP, .at = JOURNAL_START};
    const struct bets_extent extent = {.size = 100, .crc = 5};

    assert_int_equal(journal_encode_checkpoint(draw, &extent, &own, out), STATUS_OK);
}

static enum status decode_checkpoint(const uint8_t *bytes, size_t size, struct draw *draw)
{
    struct bets_extent extent = {0};

    draw_init(draw);
    enum status status = journal_decode_checkpoint(bytes, size, draw, &extent);
    bets_extent_fini(&extent);
    return status;
}

static const struct draw_terms kinds[] = {
    {.mode = DRAW_AUTO},
    {.mode = DRAW_AUTO, .id = "a"},
    {.mode = DRAW_AUTO, .has_seal = true},
    {.mode = DRAW_MANUAL},
    {.mode = DRAW_MANUAL, .has_seal = true, .close_at_s = 50, .id = "2026-11-25-nocturna"},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A state of each kind, at each stage, is read as it was written. */
static void carries_the_whole_state(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (enum stage stage = OPEN; stage < STAGES; stage++) {
            struct buffer bytes = {0};
            struct buffer again = {0};
            struct draw draw;
            struct draw found;
            make_draw(&kinds[kind], stage, &draw);
            encode_checkpoint(&draw, &bytes);
            const uint8_t *record = (const uint8_t *)bytes.data;
            assert_int_equal(record[AT_FLAGS], kind > 0 || stage >= ACTED ? 2 : 0);
            struct guarded head = guarded_copy(record, JOURNAL_HEAD_SIZE);
            assert_int_equal(journal_checkpoint_size(head.bytes, STAMP), bytes.size);
            guarded_free(&head);
            struct guarded whole = guarded_copy(record, bytes.size);
            assert_int_equal(decode_checkpoint(whole.bytes, whole.size, &found), STATUS_OK);
            guarded_free(&whole);
            assert_int_equal(found.phase, draw.phase);
            assert_int_equal(found.bets, 3);
            assert_string_equal(found.terms.id, kinds[kind].id);
            assert_int_equal(found.acts_count, stage >= ACTED ? 2 : 0);
            assert_int_equal(found.drawn.source.size, draw.drawn.source.size);
            encode_checkpoint(&found, &again);
            assert_int_equal(again.size, bytes.size);
            assert_memory_equal(again.data, bytes.data, bytes.size);
            buffer_fini(&bytes);
            buffer_fini(&again);
            draw_fini(&draw);
            draw_fini(&found);
        }
    }
}

/* Changes each byte of the extension, and corrects the checksum: it is refused, or says what it
 * would be written as. Either way nothing is lost, and nothing is read beyond the end. */
static void refuses_extensions_that_cannot_be(void **state)
{
    static const uint8_t changes[] = {0x01, 0x02, 0x08, 0x80, 0xff};
    size_t taken = 0;
    size_t refused = 0;

    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct buffer bytes = {0};
        struct draw draw;
        make_draw(&kinds[kind], DRAWN, &draw);
        encode_checkpoint(&draw, &bytes);
        draw_fini(&draw);
        struct guarded copy = guarded_copy(bytes.data, bytes.size);
        for (size_t at = AT_TABLES + 3 * 8 + 16 + 8; at < bytes.size; at++) {
            for (size_t c = 0; c < sizeof(changes); c++) {
                struct buffer again = {0};
                uint8_t before = copy.bytes[at];
                copy.bytes[at] ^= changes[c];
                seal(copy.bytes, copy.size);
                enum status status = decode_checkpoint(copy.bytes, copy.size, &draw);
                if (status == STATUS_OK) {
                    encode_checkpoint(&draw, &again);
                    assert_int_equal(again.size, copy.size);
                    assert_memory_equal(again.data, copy.bytes, copy.size);
                }
                assert_true(status == STATUS_OK || status == STATUS_DAMAGED);
                taken += status == STATUS_OK;
                refused += status != STATUS_OK;
                copy.bytes[at] = before;
                buffer_fini(&again);
                draw_fini(&draw);
            }
        }
        guarded_free(&copy);
        buffer_fini(&bytes);
    }
    assert_true(taken > 100 && refused > 100);
}

/* Changes the size of a checkpoint, in all places that say it. */
static void resize(uint8_t *bytes, size_t extension, size_t size)
{
    put_number(bytes + AT_SIZE, size, 4);
    put_number(bytes + extension, size - extension - 8, 8);
    seal(bytes, size);
}

/* A checkpoint without one of its items, with one twice, or with two in another order. */
static void refuses_other_items(void **state)
{
    struct buffer bytes = {0};
    struct draw draw;
    const size_t first = AT_TABLES + 3 * 8 + 16 + 8; /* where the extension begins */
    size_t at = first + 8;
    size_t items[6] = {at};
    size_t count = 0;

    (void)state;
    make_draw(&kinds[KINDS - 1], DRAWN, &draw);
    encode_checkpoint(&draw, &bytes);
    draw_fini(&draw);
    const uint8_t *whole = (const uint8_t *)bytes.data;
    while (at < bytes.size) {
        at += 8 + (size_t)number_at(whole + at + 4, 4);
        items[++count] = at;
    }
    assert_int_equal(count, 5); /* terms, seal, number and two acts */
    for (size_t i = 0; i < count; i++) {
        for (size_t twice = 0; twice < 2; twice++) { /* without it, or with it twice */
            size_t size = items[i + 1] - items[i];
            size_t from = twice ? items[i] : items[i + 1];
            size_t to = twice ? items[i + 1] : items[i];
            struct guarded copy =
                guarded_copy(whole, twice ? bytes.size + size : bytes.size - size);
            memcpy(copy.bytes, whole, to);
            memcpy(copy.bytes + to, whole + from, bytes.size - from);
            resize(copy.bytes, first, copy.size);
            assert_int_equal(journal_checkpoint_size(copy.bytes, STAMP), copy.size);
            assert_int_equal(decode_checkpoint(copy.bytes, copy.size, &draw),
                             i < 3 ? STATUS_DAMAGED : STATUS_OK);
            if (i >= 3)
                assert_int_equal(draw.acts_count, twice ? 3 : 1);
            draw_fini(&draw);
            guarded_free(&copy);
        }
    }
    for (size_t i = 0; i + 1 < count - 1; i++) { /* this one after the next */
        size_t size = items[i + 1] - items[i];
        size_t next = items[i + 2] - items[i + 1];
        struct guarded copy = guarded_copy(whole, bytes.size);
        memcpy(copy.bytes + items[i], whole + items[i + 1], next);
        memcpy(copy.bytes + items[i] + next, whole + items[i], size);
        seal(copy.bytes, copy.size);
        assert_int_equal(decode_checkpoint(copy.bytes, copy.size, &draw), STATUS_DAMAGED);
        draw_fini(&draw);
        guarded_free(&copy);
    }
    buffer_fini(&bytes);
}

/* An extension that ends within an item is refused, and nobody reads beyond its end. */
static void refuses_extensions_that_are_cut(void **state)
{
    const size_t first = AT_TABLES + 3 * 8 + 16 + 8;
    struct buffer bytes = {0};
    struct draw draw;
    unsigned taken = 0;

    (void)state;
    make_draw(&kinds[KINDS - 1], DRAWN, &draw);
    encode_checkpoint(&draw, &bytes);
    draw_fini(&draw);
    for (size_t size = first + 9; size <= bytes.size; size++) {
        struct guarded cut = guarded_copy(bytes.data, size);
        resize(cut.bytes, first, size);
        enum status status = decode_checkpoint(cut.bytes, size, &draw);
        taken += status == STATUS_OK;
        if (status == STATUS_OK)
            assert_int_equal(draw.phase, DRAW_DRAWN);
        draw_fini(&draw);
        guarded_free(&cut);
    }
    assert_int_equal(taken, 3); /* without the acts, with one, and with both */
    buffer_fini(&bytes);
}

/* The sizes of a checkpoint are bounded before anybody reserves memory. */
static void bounds_extensions(void **state)
{
    const size_t plain_size = AT_TABLES + 3 * 8 + 16 + 8;
    const size_t acts_max = (size_t)DRAW_ACTS_MAX * (8 + 16 + 200);
    const size_t most = plain_size + 8 + 3 * 8 + 96 + 40 + 272 + acts_max;
    struct buffer bytes = {0};
    struct draw draw;

    (void)state;
    make_draw(&kinds[KINDS - 1], DRAWN, &draw);
    while (draw.acts_count < DRAW_ACTS_MAX)
        apply(&draw, act(longest_text));
    encode_checkpoint(&draw, &bytes);
    uint8_t *head = (uint8_t *)bytes.data;
    assert_int_equal(journal_checkpoint_size(head, STAMP), bytes.size);
    assert_true(bytes.size <= most);
    draw_fini(&draw);
    assert_int_equal(decode_checkpoint(head, bytes.size, &draw), STATUS_OK);
    assert_int_equal(draw.acts_count, DRAW_ACTS_MAX);
    draw_fini(&draw);
    put_number(head + AT_SIZE, most, 4);
    assert_int_equal(journal_checkpoint_size(head, STAMP), most);
    put_number(head + AT_SIZE, most + 8, 4);
    assert_int_equal(journal_checkpoint_size(head, STAMP), 0);
    put_number(head + AT_SIZE, plain_size, 4);
    assert_int_equal(journal_checkpoint_size(head, STAMP), 0);
    put_number(head + AT_SIZE, plain_size + 8, 4);
    assert_int_equal(journal_checkpoint_size(head, STAMP), 0);
    head[AT_FLAGS] = 0;
    assert_int_equal(journal_checkpoint_size(head, STAMP), 0);
    put_number(head + AT_SIZE, plain_size, 4);
    assert_int_equal(journal_checkpoint_size(head, STAMP), plain_size);
    head[AT_FLAGS] = 4;
    assert_int_equal(journal_checkpoint_size(head, STAMP), 0);
    put_number(head + AT_SIZE, plain_size + 16, 4);
    assert_int_equal(journal_checkpoint_size(head, STAMP), 0);
    head[AT_FLAGS] = 2;
    assert_int_equal(journal_checkpoint_size(head, STAMP), plain_size + 16);
    buffer_fini(&bytes);
}

/* Without memory it says so. */
static void reads_checkpoints_without_memory(void **state)
{
    struct buffer bytes = {0};
    struct draw draw;
    bool has_struck = true;

    (void)state;
    make_draw(&kinds[KINDS - 1], DRAWN, &draw);
    encode_checkpoint(&draw, &bytes);
    draw_fini(&draw);
    for (unsigned after = 0; has_struck; after++) {
        alloc_fault_after(after);
        enum status status = decode_checkpoint((const uint8_t *)bytes.data, bytes.size, &draw);
        has_struck = alloc_fault_end();
        assert_int_equal(status, has_struck ? STATUS_NOMEM : STATUS_OK);
        assert_true(has_struck || after > 4);
        draw_fini(&draw);
    }
    buffer_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(default_draws_are_as_they_were),
        CASE(opens_folders_of_earlier_releases),
        CASE(reads_what_was_written),
        CASE(takes_only_what_it_would_write),
        CASE(refuses_what_cannot_be),
        CASE(refuses_a_text_that_is_too_long),
        CASE(writes_the_documented_bodies),
        CASE(carries_the_whole_state),
        CASE(refuses_extensions_that_cannot_be),
        CASE(refuses_other_items),
        CASE(refuses_extensions_that_are_cut),
        CASE(bounds_extensions),
        CASE(reads_checkpoints_without_memory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
