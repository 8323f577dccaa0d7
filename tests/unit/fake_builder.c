/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_builder.h"

#include "mm/fixmap.h"

#include "tests/unit/harness.h"

#include <string.h>

#define LOW_PAGES         256 /* IMAGE_OFFSET: the image begins at 1 MiB */
#define SMALL_IMAGE_PAGES 64
#define PADDING_PAGES     128 /* <xen/xen.h>: "at least 512kB padding" */
#define MAX_CHUNKS        16
#define GARBAGE_PAGES     512
#define SPARSE_BLOCK      4096
#define SHUFFLE           0x9e3779b1 /* odd: x * SHUFFLE is a permutation modulo 2^n */
#define SHUFFLE_FROM      0x1555

/* Superpages of the P2M list with consecutive PFNs, MFNs and leaves. */
struct chunk {
    uint64_t pfn, nr, mfn, leaf;
};

/*
 * Machine frames: [ superpages | all others, scattered over the next power of two | one of Xen's ]
 */
static struct {
    struct fake_domain *d;
    struct chunk chunks[MAX_CHUNKS];
    unsigned int nr_chunks;
    uint64_t chunk_mfn;            /* first MFN of the next superpage */
    uint64_t rest_mfn, rest_count; /* first MFN, and number of MFNs, of all other frames */
    uint64_t block;                /* number of MFNs that are shuffled with each other */
    uint64_t unshuffle;            /* SHUFFLE * unshuffle is 1 */
    uint64_t next_pfn;
} b;

uint64_t fake_builder_mfn(uint64_t pfn)
{
    for (unsigned int i = 0; i < b.nr_chunks; i++)
        if (pfn - b.chunks[i].pfn < b.chunks[i].nr)
            return b.chunks[i].mfn + (pfn - b.chunks[i].pfn);
    if (b.d->shape.mfns == FAKE_MFNS_SAME)
        return pfn ? pfn : b.rest_count; /* no domain has MFN 0 */
    /* shuffle the blocks, and the pages of a block */
    return b.rest_mfn +
           ((pfn / b.block * SHUFFLE + SHUFFLE_FROM) & (b.rest_count / b.block - 1)) * b.block +
           ((pfn % b.block * SHUFFLE + SHUFFLE_FROM) & (b.block - 1));
}

static uint64_t builder_pfn(uint64_t mfn)
{
    uint64_t at = mfn - b.rest_mfn, pfn;

    for (unsigned int i = 0; i < b.nr_chunks; i++)
        if (mfn - b.chunks[i].mfn < b.chunks[i].nr)
            return b.chunks[i].pfn + (mfn - b.chunks[i].mfn);
    if (at >= b.rest_count)
        return INVALID_ENTRY;
    pfn = ((at / b.block - SHUFFLE_FROM) * b.unshuffle & (b.rest_count / b.block - 1)) * b.block +
          ((at % b.block - SHUFFLE_FROM) * b.unshuffle & (b.block - 1));
    return pfn < b.d->shape.nr_pages && fake_builder_mfn(pfn) == mfn ? pfn : INVALID_ENTRY;
}

static void start_machine(struct fake_domain *d)
{
    bool superpages = d->shape.list == FAKE_LIST_SUPERPAGES;
    uint64_t list_pages = d->shape.nr_pages * sizeof(uint64_t) / PAGE_SIZE;
    uint64_t align = level_bytes(superpages ? 3 : 2) / PAGE_SIZE;
    uint64_t chunks = superpages ? ROUND_UP(list_pages, align) : 0, nr;

    memset(&b, 0, sizeof(b));
    b.d = d;
    for (b.rest_count = 1; b.rest_count < d->shape.nr_pages;)
        b.rest_count *= 2;
    b.block = d->shape.sparse ? SPARSE_BLOCK : b.rest_count;
    for (b.unshuffle = SHUFFLE; b.unshuffle * SHUFFLE != 1;)
        b.unshuffle *= 2 - b.unshuffle * SHUFFLE;
    nr = ROUND_UP(chunks + b.rest_count + d->shape.more_mfns + 1, align);
    b.chunk_mfn = d->shape.first_mfn ? d->shape.first_mfn : 0x40000;
    if (d->shape.mfns == FAKE_MFNS_HIGHEST)
        b.chunk_mfn = ((uint64_t)1 << MFN_BITS) - nr;
    else if (d->shape.mfns == FAKE_MFNS_SAME)
        b.chunk_mfn = ROUND_UP(b.rest_count + 1, align);
    b.rest_mfn = b.chunk_mfn + chunks;
    if (d->shape.mfns == FAKE_MFNS_SAME)
        fake_machine_start(0, b.chunk_mfn + nr);
    else
        fake_machine_start(b.chunk_mfn, nr);
}

static uint64_t new_page(void)
{
    if (b.next_pfn == b.d->shape.nr_pages)
        fail_msg("the builder needs more than the domain's %#lx pages", b.next_pfn);
    return fake_builder_mfn(b.next_pfn++);
}

/* The page table that an entry names; allocated if there is none. */
static uint64_t *lower_table(uint64_t *table, unsigned int index)
{
    if (!table[index])
        table[index] = pte_make(to_mfn(new_page()), PTE_TABLE);
    return fake_ram(pte_mfn(table[index]).v);
}

static uint64_t *entry_of(uint64_t va, unsigned int level)
{
    uint64_t *table = fake_ram(fake.root);

    for (unsigned int l = PT_LEVELS; l > level; l--)
        table = lower_table(table, pte_index(va, l));
    return &table[pte_index(va, level)];
}

/* Number of level 1 tables of the kernel's mapping, which includes these tables. */
static uint64_t kernel_l1s(uint64_t pages)
{
    uint64_t l1s = 0, end;

    do {
        l1s++;
        end = ROUND_UP(pages + 3 + l1s + PADDING_PAGES, 1024);
    } while (end > l1s * PTES_PER_TABLE);
    return l1s;
}

static void build_kernel(struct fake_domain *d)
{
    uint64_t image = d->shape.image_pages ? d->shape.image_pages : SMALL_IMAGE_PAGES;
    uint64_t ramdisk = LOW_PAGES + image, list = ramdisk + d->shape.ramdisk_pages, info = list;
    uint64_t l1s;

    if (d->shape.list == FAKE_LIST_IN_KERNEL)
        info += DIV_ROUND_UP(d->shape.nr_pages, P2M_PER_PAGE);
    l1s = kernel_l1s(info + 2); /* start_info and stack */
    d->kernel_pfns = l1s * PTES_PER_TABLE;
    d->image_start = FAKE_VIRT_BASE + LOW_PAGES * PAGE_SIZE;
    d->image_end = d->image_start + image * PAGE_SIZE;
    d->fixmap = (void *)(d->image_end - (NR_FIXMAP_SLOTS + 3) * PAGE_SIZE);
    d->ramdisk_va = d->shape.ramdisk_pages ? FAKE_VIRT_BASE + ramdisk * PAGE_SIZE : 0;
    d->list = (uint64_t *)(FAKE_VIRT_BASE + list * PAGE_SIZE);
    d->start_info = (struct start_info *)(FAKE_VIRT_BASE + info * PAGE_SIZE);

    b.next_pfn = info + 1;
    fake.root = new_page();
    for (uint64_t pfn = 0; pfn < d->kernel_pfns; pfn++)
        *entry_of(FAKE_VIRT_BASE + pfn * PAGE_SIZE, 1) =
            pte_make(to_mfn(fake_builder_mfn(pfn)), PTE_RX | PTE_W | PTE_D);
    for (uint64_t pfn = info + 1; pfn < b.next_pfn; pfn++)
        *entry_of(FAKE_VIRT_BASE + pfn * PAGE_SIZE, 1) &=
            ~PTE_W; /* page tables are mapped read-only */
    b.next_pfn = d->kernel_pfns;
}

static void build_list_4k(uint64_t leaves)
{
    uint64_t pfn = b.next_pfn;

    b.next_pfn += leaves;
    for (uint64_t leaf = 0; leaf < leaves; leaf++)
        *entry_of(FAKE_LIST_BASE + leaf * PAGE_SIZE, 1) =
            pte_make(to_mfn(fake_builder_mfn(pfn + leaf)), PTE_RX | PTE_W);
}

/* Records a superpage of the P2M list; most superpages extend the previous run. */
static void add_chunk(uint64_t leaf, uint64_t nr)
{
    struct chunk *last = b.nr_chunks ? &b.chunks[b.nr_chunks - 1] : NULL;

    if (last && last->pfn + last->nr == b.next_pfn && last->leaf + last->nr == leaf) {
        last->nr += nr;
        return;
    }
    if (b.nr_chunks == MAX_CHUNKS)
        fail_msg("the list's superpages are more than %d runs", MAX_CHUNKS);
    b.chunks[b.nr_chunks++] = (struct chunk){b.next_pfn, nr, b.chunk_mfn, leaf};
}

/* Maps the next part of the P2M list at @va in the largest page that fits. Returns its size. */
static uint64_t build_list_page(uint64_t va, uint64_t end)
{
    for (unsigned int level = 3; level > 1; level--) {
        uint64_t bytes = level_bytes(level), nr = bytes / PAGE_SIZE, *entry;

        if (va % bytes || va + bytes > end)
            continue;
        entry = entry_of(va, level);
        add_chunk((va - FAKE_LIST_BASE) / PAGE_SIZE, nr);
        *entry = pte_make(to_mfn(b.chunk_mfn), PTE_RX | PTE_W | PTE_PSE);
        b.next_pfn += nr;
        b.chunk_mfn += nr;
        return bytes;
    }
    uint64_t *entry = entry_of(va, 1);

    *entry = pte_make(to_mfn(new_page()), PTE_RX | PTE_W);
    return PAGE_SIZE;
}

static void build_list(struct fake_domain *d)
{
    uint64_t leaves = DIV_ROUND_UP(d->shape.nr_pages, P2M_PER_PAGE);

    if (d->shape.list == FAKE_LIST_IN_KERNEL)
        return;
    d->list = (uint64_t *)FAKE_LIST_BASE;
    d->list_pfn = b.next_pfn;
    if (d->shape.list == FAKE_LIST_4K)
        build_list_4k(leaves);
    for (uint64_t at = 0; d->shape.list == FAKE_LIST_SUPERPAGES && at < leaves * PAGE_SIZE;)
        at += build_list_page(FAKE_LIST_BASE + at, FAKE_LIST_BASE + leaves * PAGE_SIZE);
    d->nr_list_pfns = b.next_pfn - d->list_pfn;
}

/* Fills a leaf up to nr_pages; the rest of the leaf keeps its contents. */
static void fill_leaf(uint64_t leaf, uint64_t *page)
{
    uint64_t end = min_u64((leaf + 1) * P2M_PER_PAGE, b.d->shape.nr_pages);

    for (uint64_t pfn = leaf * P2M_PER_PAGE; pfn < end; pfn++)
        page[pfn % P2M_PER_PAGE] = fake_builder_mfn(pfn);
}

/* Fills frame @mfn if it holds a leaf of the P2M list. */
static void fill_frame(uint64_t mfn, uint64_t *page)
{
    uint64_t at = builder_pfn(mfn) - b.d->list_pfn;

    for (unsigned int i = 0; i < b.nr_chunks; i++)
        if (mfn - b.chunks[i].mfn < b.chunks[i].nr)
            fill_leaf(b.chunks[i].leaf + (mfn - b.chunks[i].mfn), page);
    if (b.d->shape.list == FAKE_LIST_4K && at < DIV_ROUND_UP(b.d->shape.nr_pages, P2M_PER_PAGE))
        fill_leaf(at, page);
}

static const struct fake_origin origin = {.fill = fill_frame, .pfn = builder_pfn};

/* Leaves outside of superpages are few, and may lie anywhere among the page tables. */
static void fill_list_sparse(struct fake_domain *d)
{
    uint64_t leaves = DIV_ROUND_UP(d->shape.nr_pages, P2M_PER_PAGE);
    uint64_t leaf = d->shape.list == FAKE_LIST_4K ? leaves : 0;

    for (unsigned int i = 0; i < b.nr_chunks; i++)
        leaf = max_u64(leaf, b.chunks[i].leaf + b.chunks[i].nr);
    for (; leaf < leaves; leaf++)
        fill_leaf(leaf, fake_ram(fake_walk((uint64_t)d->list + leaf * PAGE_SIZE).mfn));
    fake_machine_set_origin(&origin);
}

/* Fills the P2M list up to nr_pages, not to the end of its last page; and the M2P. */
static void fill_list(struct fake_domain *d)
{
    uint64_t nr = d->shape.nr_pages, *leaf = NULL;

    for (uint64_t pfn = 0; pfn < nr; pfn++) {
        if (pfn % P2M_PER_PAGE == 0)
            leaf = fake_ram(fake_walk((uint64_t)&d->list[pfn]).mfn);
        leaf[pfn % P2M_PER_PAGE] = fake_builder_mfn(pfn);
        fake_set_m2p(fake_builder_mfn(pfn), pfn);
    }
}

/* Frames of Xen's, and the rest of the machine, are not the guest's. */
static void take_foreign_frames(struct fake_domain *d)
{
    uint64_t last = fake.first_mfn + fake.nr_mfns - 1;

    for (uint64_t mfn = fake.first_mfn; !d->shape.sparse && mfn <= last; mfn++)
        fake_frame(mfn)->foreign = true;
    for (uint64_t pfn = 0; !d->shape.sparse && pfn < d->shape.nr_pages; pfn++)
        fake_frame(fake_builder_mfn(pfn))->foreign = false;
    fake_frame(last)->foreign = true;
    fake.shared = last;
    d->shared_info = last * PAGE_SIZE;
    fake_set_m2p(last, LOW_PAGES + 1); /* a stale M2P entry that names a page of the image */
}

/* Memory has arbitrary contents. The guest's allocations begin with the last pages. */
static void fill_free_frames(struct fake_domain *d)
{
    uint64_t nr = min_u64(GARBAGE_PAGES, d->shape.nr_pages - b.next_pfn);

    for (uint64_t pfn = d->shape.nr_pages - nr; pfn < d->shape.nr_pages; pfn++)
        memset(fake_ram(fake_builder_mfn(pfn)), 0x5b, PAGE_SIZE);
}

static void fill_start_info(struct fake_domain *d)
{
    *d->start_info = (struct start_info){
        .magic = "xen-3.0-x86_64",
        .nr_pages = d->shape.nr_pages,
        .shared_info = d->shared_info,
        .flags = SIF_PRIVILEGED | SIF_INITDOMAIN,
        .mfn_list = (uint64_t)d->list,
        .first_p2m_pfn = d->list_pfn,
        .nr_p2m_frames = d->nr_list_pfns,
        .mod_start = d->ramdisk_va,
        .mod_len = d->shape.ramdisk_pages * PAGE_SIZE,
        .cmd_line = "test=all",
    };
}

void fake_build(struct fake_domain *d, const struct fake_shape *shape)
{
    *d = (struct fake_domain){.shape = *shape};
    start_machine(d);
    build_kernel(d);
    build_list(d);
    if (d->shape.sparse)
        fill_list_sparse(d);
    else
        fill_list(d);
    take_foreign_frames(d);
    fill_free_frames(d);
    fake.superpages = true;
    if (fake_get_type(fake.root, FAKE_L4)) /* the use by CR3 */
        fail_msg("the builder made invalid page tables");
    fake.superpages = false;
    fill_start_info(d);
}
