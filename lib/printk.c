/* SPDX-License-Identifier: MIT */
#include "lib/printk.h"

#include "lib/format.h"

enum loglevel printk_level = LOG_INFO;

static void print_v(const char *fmt, va_list args) __printf(1, 0);

static void print_v(const char *fmt, va_list args)
{
    static const char cut[] = "...\n";
    char line[512];
    size_t len = format_v(line, sizeof(line), fmt, args);

    if (len < sizeof(line)) {
        platform_write(line, len);
        return;
    }
    platform_write(line, sizeof(line) - 1);
    platform_write(cut, sizeof(cut) - 1); /* with the end of the line, that was cut too */
}

void printk(enum loglevel level, const char *fmt, ...)
{
    va_list args;

    if (level > printk_level)
        return;
    va_start(args, fmt);
    print_v(fmt, args);
    va_end(args);
}

void print(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    print_v(fmt, args);
    va_end(args);
}
