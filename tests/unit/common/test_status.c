#include "cmocka_all.h"
#include "status.h"

#include <errno.h>
#include <string.h>

/* Every status has a text of its own. */
static void test_every_status_has_words(void **state)
{
    (void)state;
    assert_int_equal(STATUS_OK, 0);
    for (int i = 0; i < STATUS_COUNT; i++) {
        assert_true(strlen(status_text((enum status)i)) > 0);
        assert_string_not_equal(status_text((enum status)i), "?");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(status_text((enum status)i), status_text((enum status)j));
    }
}

/* The texts belong to their values: the table is not shifted. */
static void test_words_fit(void **state)
{
    (void)state;
    assert_string_equal(status_text(STATUS_OK), "ok");
    assert_string_equal(status_text(STATUS_NOSPACE), "no space left");
}

/* For what is not a status the text is "?", never NULL. */
static void test_no_status(void **state)
{
    static const int none[] = {STATUS_COUNT, STATUS_COUNT + 1, -1, 1 << 30};

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_string_equal(status_text((enum status)none[i]), "?");
}

/* errno values with their own status get it; all others are STATUS_IO; 0 is success. */
static void test_from_errno(void **state)
{
    (void)state;
    assert_int_equal(status_from_errno(0), STATUS_OK);
    assert_int_equal(status_from_errno(ENOMEM), STATUS_NOMEM);
    assert_int_equal(status_from_errno(ENOSPC), STATUS_NOSPACE);
    assert_int_equal(status_from_errno(EDQUOT), STATUS_NOSPACE);
    assert_int_equal(status_from_errno(EFBIG), STATUS_NOSPACE);
    assert_int_equal(status_from_errno(ENOENT), STATUS_NOTFOUND);
    assert_int_equal(status_from_errno(EINVAL), STATUS_INVALID);
    assert_int_equal(status_from_errno(EWOULDBLOCK), STATUS_INUSE);
    assert_int_equal(status_from_errno(EIO), STATUS_IO);
    assert_int_equal(status_from_errno(ECONNRESET), STATUS_IO);
    for (int error = 1; error < 5000; error++)
        assert_int_not_equal(status_from_errno(error), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_words),
        cmocka_unit_test(test_words_fit),
        cmocka_unit_test(test_no_status),
        cmocka_unit_test(test_from_errno),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
