#include "descriptors.h"

#include "cmocka_all.h"

#include <dirent.h>

unsigned descriptors_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    assert_int_equal(closedir(dir), 0);
    return count;
}
