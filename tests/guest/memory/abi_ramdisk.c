/* SPDX-License-Identifier: MIT */
/*
 * start_info.mod_len, compared with the contents of the ramdisk.
 *
 * A cpio archive ("newc", the format of Linux's initramfs) tells where it ends. Without this test a
 * builder could round mod_len up to whole pages, or cut off the end: a kernel that unpacks the
 * archive finds garbage behind it, or no end.
 */
#include "lib/errno.h"
#include "lib/number.h"
#include "lib/string.h"

#include "tests/guest/abi_room.h"

#define HEADER_BYTES 110
#define MAGIC        "070701"
#define TRAILER      "TRAILER!!!"
#define FILE_SIZE    54 /* places of two fields of 8 hexadecimal digits in a header */
#define NAME_SIZE    94
#define BLOCK        512 /* an archive is padded to a multiple of it at most */

/* Copies @len bytes at @from of the ramdisk. False: they are not all within it. */
static bool read_bytes(struct test *t, uint64_t from, void *to, uint64_t len)
{
    struct domain *d = t->d;

    if (from > d->boot.ramdisk_bytes || len > d->boot.ramdisk_bytes - from)
        return false;
    for (uint64_t done = 0, n; done < len; done += n) {
        uint64_t at = from + done, offset = at % PAGE_SIZE;
        pfn_t pfn = plan_renumbered(&d->plan, to_pfn(d->boot.ramdisk_pfn + at / PAGE_SIZE));
        const uint8_t *page =
            fixmap_map(&d->fixmap, FIXMAP_SCRATCH, p2m_get_ram(&d->p2m, pfn), PTE_RO);

        if (!page)
            return false;
        n = min_u64(len - done, PAGE_SIZE - offset);
        memcpy((uint8_t *)to + done, page + offset, n);
    }
    return true;
}

static bool read_field(const char *header, unsigned int at, uint64_t *value)
{
    char text[] = "0x00000000";

    memcpy(text + 2, header + at, 8);
    return number_parse(text, 10, UINT32_MAX, value);
}

/* Moves *@at behind the entry there. *@is_last: it is the trailer. False: there is no entry. */
static bool pass_entry(struct test *t, uint64_t *at, bool *is_last)
{
    char header[HEADER_BYTES], name[sizeof(TRAILER)] = "";
    uint64_t file_bytes, name_bytes;

    if (!read_bytes(t, *at, header, HEADER_BYTES) || memcmp(header, MAGIC, strlen(MAGIC)) ||
        !read_field(header, FILE_SIZE, &file_bytes) ||
        !read_field(header, NAME_SIZE, &name_bytes) ||
        !read_bytes(t, *at + HEADER_BYTES, name, min_u64(name_bytes, sizeof(name))))
        return false;
    *is_last = name_bytes == sizeof(TRAILER) && !memcmp(name, TRAILER, sizeof(TRAILER));
    *at = ROUND_UP(ROUND_UP(*at + HEADER_BYTES + name_bytes, 4) + file_bytes, 4);
    return true;
}

/* The archive ends at byte @end. What follows it in the ramdisk may be padding only. */
static void check_end(struct test *t, uint64_t end)
{
    uint64_t len = t->d->boot.ramdisk_bytes;
    uint8_t byte;

    /* libxenguest rounds mod_len up to whole pages */
    CHECK(len <= ROUND_UP(end, boot_info_is_initdomain(&t->d->boot) ? BLOCK : PAGE_SIZE),
          "start_info.mod_len is 0x%lx, expected the end of the cpio archive in the ramdisk, byte "
          "0x%lx, with padding",
          len, end);
    for (uint64_t i = end; i < len && read_bytes(t, i, &byte, 1); i++)
        CHECK(!byte, "byte 0x%lx of the ramdisk, behind the cpio archive, is 0x%x, expected 0", i,
              byte);
}

TEST_RULE(abi_ramdisk, "a ramdisk that is a cpio archive ends where start_info.mod_len says")
{
    bool is_last = false, is_first = true;
    uint64_t at = 0;

    while (!is_last && pass_entry(t, &at, &is_last))
        is_first = false;
    if (is_first)
        test_skip(t, "there is no ramdisk, or it is no cpio archive");
    else if (!is_last)
        test_fail(
            t,
            "start_info.mod_len is 0x%lx, and the cpio archive in the ramdisk has no entry at byte "
            "0x%lx, expected the next entry or the entry TRAILER!!! there",
            t->d->boot.ramdisk_bytes, at);
    else
        check_end(t, at);
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
}
