/* cmocka_all.h - cmocka, and the headers that must be included before it. */
#ifndef LOTTERY_CMOCKA_ALL_H
#define LOTTERY_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
