/* The texts of docs/protocol.md, chapter "The seal", are those that our code makes of its example.
 * PROTOCOL is the document's path. */
#include "cmocka_all.h"
#include "seal_evidence.h"
#include "seal_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static char *document; /* from its chapter on; owned */

/* Is there a block with this text and nothing else? Carriage returns are not shown there. */
static void assert_has_block(const char *text)
{
    char block[4096];
    size_t size = (size_t)snprintf(block, sizeof(block), "\n```\n");

    for (; *text != '\0'; text++) {
        if (*text != '\r')
            block[size++] = *text;
        assert_true(size < sizeof(block) - 8);
    }
    (void)snprintf(block + size, sizeof(block) - size, "%s```\n",
                   block[size - 1] == '\n' ? "" : "\n");
    if (strstr(document, block) == NULL)
        fail_msg("docs/protocol.md has no block%s", block);
}

/* The same for bytes that are no string. */
static void assert_has_buffer(const struct buffer *text)
{
    char string[4096];

    assert_true(text->size < sizeof(string));
    memcpy(string, text->data, text->size);
    string[text->size] = '\0';
    assert_has_block(string);
}

static void test_bets(void **state)
{
    (void)state;
    assert_has_block(seal_fixture_bets);
}

static void test_leaves(void **state)
{
    struct seal_fixture *f = *state;
    char leaves[SEAL_FIXTURE_LEAVES * (SEAL_LEAF_MAX + 1)] = "";
    size_t size = 0;

    for (size_t i = 0; i < SEAL_FIXTURE_LEAVES; i++)
        size += (size_t)snprintf(leaves + size, sizeof(leaves) - size, "%s\n", f->leaves[i]);
    assert_has_block(leaves);
}

static void test_notes(void **state)
{
    struct seal_fixture *f = *state;

    assert_has_buffer(&f->seal);
    assert_has_buffer(&f->result);
}

static void test_keys(void **state)
{
    struct seal_fixture *f = *state;
    char vkey[NOTE_VKEY_SIZE];

    note_key_format(seal_key_public(f->key), vkey);
    assert_has_block(vkey);
    assert_has_block(seal_fixture_pem);
}

static void test_evidence(void **state)
{
    struct seal_fixture *f = *state;
    struct buffer file = {0};

    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_OK);
    assert_int_equal(seal_evidence_put_result(f->result_claim.note, &file), STATUS_OK);
    assert_has_buffer(&file);
    buffer_fini(&file);
}

/* Reads the document; keeps it from the chapter on. */
static void read_document(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t capacity = 1 << 20;
    char *text = malloc(capacity);
    const char *chapter = NULL;

    if (file != NULL && text != NULL) {
        text[fread(text, 1, capacity - 1, file)] = '\0';
        chapter = strstr(text, "\n## The seal\n");
    }
    if (chapter == NULL) {
        (void)fprintf(stderr, "no chapter about the seal in %s\n", path);
        exit(1);
    }
    document = strdup(chapter);
    (void)fclose(file);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bets),
        cmocka_unit_test_setup_teardown(test_leaves, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_notes, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_keys, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_evidence, seal_fixture_begin, seal_fixture_end),
    };

    read_document(PROTOCOL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(document);
    return failed;
}
