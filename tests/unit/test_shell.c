/* SPDX-License-Identifier: MIT */
/*
 * Line input of the shell. Without this test a control character could end up in a command, the
 * rest of an overlong line could be run as another command, or bytes from a broken terminal could
 * be written past the end of the line buffer. The source of the bytes and the function that runs a
 * command are this file's own.
 */
#include "kernel/shell/shell.h"

#include "xen/console.h"

#include "kernel/shell/commands.h"

#include "tests/unit/harness.h"

#include <string.h>

#define PROMPT "xenolith> "

static struct domain d;

static const char *typed;
static size_t nr_typed;
static size_t bytes_per_read; /* bytes returned by one console_read */

size_t console_read(char *text, size_t size_bytes)
{
    size_t n = min_u64(min_u64(nr_typed, size_bytes), bytes_per_read);

    memcpy(text, typed, n);
    typed += n;
    nr_typed -= n;
    return n;
}

static char executed[1 << 12]; /* the executed commands, each in brackets */

void command_run(struct domain *domain, const char *command)
{
    check_true("command_run gets the domain", domain == &d);
    check_true("command_run gets a command that is not empty", *command);
    check_true("command_run gets a terminated command", strlen(command) < 128);
    for (const char *c = command; *c; c++)
        check_true("command_run gets printable characters only", *c >= ' ' && *c < 0x7f);
    strncat(executed, "[", sizeof(executed) - strlen(executed) - 1);
    strncat(executed, command, sizeof(executed) - strlen(executed) - 1);
    strncat(executed, "]", sizeof(executed) - strlen(executed) - 1);
    if (!strcmp(command, "end"))
        domain->options.done = DONE_REBOOT;
}

static void type_bytes(const char *bytes, size_t len_bytes)
{
    typed = bytes;
    nr_typed = len_bytes;
    executed[0] = '\0';
    output_clear();
    while (shell_poll(&d))
        continue;
    check_equal("typed bytes that the shell has not read", nr_typed, 0);
}

static void type(const char *bytes)
{
    type_bytes(bytes, strlen(bytes));
}

/* Starts with an empty line and no incomplete escape sequence. */
static void start(enum shell_option shell)
{
    d = (struct domain){
        .options = {.shell = shell, .done = DONE_WAIT}
    };
    bytes_per_read = SIZE_MAX;
    type("\r");
}

static void test_keys(void **state)
{
    static const struct {
        const char *bytes, *executed;
    } rows[] = {
        {"help\r",                      "[help]"    },
        {"help\n",                      "[help]"    },
        {"help\r\n",                    "[help]"    },
        {"\r\n\r\r",                    ""          },
        {"   \r",                       ""          },
        {"  xs  a   \r",                "[  xs  a]" },
        {"one\rtwo\r",                  "[one][two]"},
        {"helq\bp\r",                   "[help]"    },
        {"helq\x7fp\r",                 "[help]"    },
        {"\b\b\x7fhelp\r",              "[help]"    },
        {"crash\x15help\r",             "[help]"    },
        {"crash\x03help\r",             "[help]"    },
        {"\x15\x03help\r",              "[help]"    },
        {"h\x1b[Ae\x1b[1;5Cl\x1bOBp\r", "[help]"    },
        {"h\x1b[3~elp\x1b[200~\r",      "[help]"    },
        {"\x1bxhelp\r",                 "[help]"    },
        {"help\x1b\r",                  "[help]"    },
        {"help\x1b[\r",                 "[help]"    },
        {"help\x1b[1;\r",               "[help]"    },
        {"crash\x1b[\x03help\r",        "[help]"    },
        {"\x1b\x1b[Ahelp\r",            "[help]"    },
        {"\x1b[\x1b[Ahelp\r",           "[help]"    },
        {"h\x01\x02\t\x0b\x0c\x1f\x7f"
         "help\r",             "[help]"    },
        {"\xffh\x80\x81\xc3\xa4\xfe"
         "elp\r",              "[help]"    },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (unsigned int shell = SHELL_NONE; shell <= SHELL_LINE; shell++) {
            start((enum shell_option)shell);
            type(rows[i].bytes);
            assert_string_equal(executed, rows[i].executed);
            start((enum shell_option)shell);
            bytes_per_read = 1;
            type(rows[i].bytes);
            assert_string_equal(executed, rows[i].executed);
        }
    }
    start(SHELL_EDIT);
    type_bytes("he\0lp\r", 6);
    assert_string_equal(executed, "[help]");
}

static void test_screen(void **state)
{
    (void)state;
    start(SHELL_EDIT);
    assert_string_equal(output(), "\n" PROMPT);
    type("ab\x7f");
    assert_string_equal(output(), "ab\b \b");
    type("\x15\b");
    assert_string_equal(output(), "\b \b");
    type("ab\x03");
    assert_string_equal(output(), "ab^C\n" PROMPT);
    type("\x1b[A\xff\x01");
    assert_string_equal(output(), "");
    type("%s%n\r");
    assert_string_equal(output(), "%s%n\n" PROMPT);
    start(SHELL_LINE);
    type("ab\x7f\x15x\x03\r");
    assert_string_equal(output(), PROMPT);
    start(SHELL_NONE);
    type("ab\x7f\x15x\x03help\r");
    assert_string_equal(output(), "");
    start(SHELL_EDIT);
    type("end\r");
    assert_string_equal(output(), "end\n");
}

/* Types a line of @len characters, then @more, then a carriage return. */
static void type_long(size_t len, const char *more)
{
    char bytes[600];

    memset(bytes, 'x', len);
    strcpy(bytes + len, more);
    strcat(bytes, "\r");
    type(bytes);
}

static void test_long_lines(void **state)
{
    static const size_t lens[] = {128, 129, 300, 500};

    (void)state;
    for (unsigned int shell = SHELL_NONE; shell <= SHELL_LINE; shell++) {
        start((enum shell_option)shell);
        type_long(127, "");
        check_equal("length of the longest executed command", strlen(executed), 127 + 2);
        for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
            type_long(lens[i], "");
            assert_string_equal(executed, "");
            check_says("message on a line that is too long", output(),
                       "error: shell: the input line is too long and was not run: expected at most "
                       "127 char");
            type_long(lens[i], "\x03"
                               "a");
            assert_string_equal(executed, "[a]");
            type_long(lens[i], "\x15"
                               "a");
            assert_string_equal(executed, "[a]");
            type_long(lens[i], "\b");
            check_equal("length of a command after deleting the excess character", strlen(executed),
                        126 + 2);
        }
    }
    start(SHELL_EDIT);
    type_long(128, "");
    check_says("echo of a line that is too long", output(), "xx\a\n");
}

/* Random keys; command_run() checks each command. */
static void test_any_bytes(void **state)
{
    static const char keys[] = "abc \r\b\x7f\x15\x03\x1b[O~1;\xff\x80\n\t";
    struct rng rng = {.state = 20261122};
    char bytes[256];

    (void)state;
    for (unsigned int i = 0; i < 20000; i++) {
        size_t n = rng_below(&rng, sizeof(bytes));

        if (i % 200 == 0)
            start((enum shell_option)rng_below(&rng, SHELL_LINE + 1));
        for (size_t k = 0; k < n; k++)
            bytes[k] = i % 2 ? (char)rng_next(&rng) : keys[rng_below(&rng, sizeof(keys))];
        bytes_per_read = 1 + rng_below(&rng, 40);
        type_bytes(bytes, n);
        type("\x03"
             "help\r");
        assert_string_equal(executed, "[help]");
    }
}

static void test_greeting(void **state)
{
    (void)state;
    start(SHELL_NONE);
    output_clear();
    shell_start(&d);
    assert_string_equal(output(), "");
    start(SHELL_EDIT);
    d.balloon.nr_pages = 25600;
    d.host.major = 4;
    d.host.minor = 17;
    strcpy(d.host.extra, ".7");
    output_clear();
    shell_start(&d);
    assert_string_equal(
        output(), "shell: domU of 100 MiB on Xen 4.17.7; \"help\" prints the commands\n" PROMPT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_screen),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_greeting),
    };

    return cmocka_run_group_tests_name("shell", tests, NULL, NULL);
}
