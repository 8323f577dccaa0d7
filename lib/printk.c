/* SPDX-License-Identifier: MIT */
#include "lib/printk.h"

#include "lib/format.h"

enum loglevel printk_level = LOG_INFO;

static void print_v(const char *prefix, const char *fmt, va_list args) __printf(2, 0);

/* One call of platform_write, so that the prefix and the text stay on one line of Xen's console. */
static void print_v(const char *prefix, const char *fmt, va_list args)
{
    static const char cut[] = "...\n";
    char line[512];
    size_t len = format(line, sizeof(line), "%s", prefix);

    len += format_v(line + len, sizeof(line) - len, fmt, args);

    if (len < sizeof(line)) {
        platform_write(line, len);
        return;
    }
    platform_write(line, sizeof(line) - 1);
    platform_write(cut, sizeof(cut) - 1); /* the newline of the text was cut as well */
}

void printk(enum loglevel level, const char *fmt, ...)
{
    static const char *const prefixes[] = {
        [LOG_ERROR] = "error: ", [LOG_WARN] = "warning: ", [LOG_INFO] = "", [LOG_DEBUG] = ""};
    va_list args;

    if (level > printk_level)
        return;
    va_start(args, fmt);
    print_v(prefixes[level], fmt, args);
    va_end(args);
}

void print(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    print_v("", fmt, args);
    va_end(args);
}
