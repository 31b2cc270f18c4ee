/* fetch.c - downloads the public sets.                                 Floor 6 (data)
 *
 * curl, sha256sum (or shasum), gzip and tar are started as programs. A download grows in NAME.part and
 * goes on where it stopped; only bytes with the right SHA-256 are renamed to NAME, and only whole
 * unpacked files get the name the readers look for.
 *
 * The sums are of the published files. MNIST and Fashion-MNIST: of the .gz files, as torchvision's
 * mirrors and the original places serve them. CIFAR: of the archive and of each file of images in it.
 *
 * RETORT_MIRROR, a list of addresses with commas between, is tried instead of the public mirrors:
 * ADDRESS/SET/FILE, e.g. http://127.0.0.1:8000/mnist/train-images-idx3-ubyte.gz. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/fetch.h"
#include "retort/log.h"

static const rti_download mnist_files[] = {
    {"train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
     "train-images-idx3-ubyte", 47040016},
    {"train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
     "train-labels-idx1-ubyte", 60008},
    {"t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
     "t10k-images-idx3-ubyte", 7840016},
    {"t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
     "t10k-labels-idx1-ubyte", 10008},
};

static const rti_download fashion_files[] = {
    {"train-images-idx3-ubyte.gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
     "train-images-idx3-ubyte", 47040016},
    {"train-labels-idx1-ubyte.gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
     "train-labels-idx1-ubyte", 60008},
    {"t10k-images-idx3-ubyte.gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
     "t10k-images-idx3-ubyte", 7840016},
    {"t10k-labels-idx1-ubyte.gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
     "t10k-labels-idx1-ubyte", 10008},
};

static const rti_download cifar10_files[] = {
    {"cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", NULL, 0},
};

static const rti_fetch_member cifar10_members[] = {
    {"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
    {"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
    {"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
    {"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
    {"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
    {"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
};

static const rti_download cifar100_files[] = {
    {"cifar-100-binary.tar.gz", "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", NULL, 0},
};

static const rti_fetch_member cifar100_members[] = {
    {"train.bin", "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"},
    {"test.bin", "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"},
};

static const rti_fetch_set sets[] = {
    {"mnist",
     {"https://ossci-datasets.s3.amazonaws.com/mnist/",
      "https://storage.googleapis.com/cvdf-datasets/mnist/"},
     mnist_files,
     4,
     NULL,
     NULL,
     0},
    {"fashion-mnist",
     {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
      "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"},
     fashion_files,
     4,
     NULL,
     NULL,
     0},
    {"cifar10",
     {"https://www.cs.toronto.edu/~kriz/",
      "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/"},
     cifar10_files,
     1,
     "cifar-10-batches-bin",
     cifar10_members,
     6},
    {"cifar100",
     {"https://www.cs.toronto.edu/~kriz/"},
     cifar100_files,
     1,
     "cifar-100-binary",
     cifar100_members,
     2},
};

/* ---- sums ---- */

static rt_status sha256_of(const char *path, char out[65], rt_error *error) {
    const char *const sha256sum[] = {"sha256sum", path, NULL}, *const shasum[] = {"shasum", "-a", "256", path,
                                                                                  NULL};
    rti_bytes said;
    if (!rti_program_exists("sha256sum") && !rti_program_exists("shasum"))
        return rt_fail(error, RT_PROGRAM,
                       "neither sha256sum nor shasum is there to verify downloads; install coreutils "
                       "or perl");
    RT_TRY(rti_program_run(rti_program_exists("sha256sum") ? sha256sum : shasum, 65536, &said, error));
    const char *sum = (const char *)said.data;
    if (*sum == '\\') sum++; /* an unusual file name was escaped */
    size_t length = strspn(sum, "0123456789abcdefABCDEF");
    if (length == 64) memcpy(out, sum, 64);
    out[64] = 0;
    rt_free(said.data);
    return length == 64 ? RT_OK
                        : rt_fail(error, RT_PROGRAM, "%s: the program for SHA-256 said something else", path);
}

/* *same: the file has this sum. */
static rt_status sum_compare(const char *path, const char *sha256, bool *same, rt_error *error) {
    char sum[65];
    RT_TRY(sha256_of(path, sum, error));
    *same = strcmp(sum, sha256) == 0;
    return RT_OK;
}

/* ---- one file ---- */

static long long size_of(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 ? (long long)s.st_size : -1;
}

static rt_status curl(const char *address, const char *part, rt_error *error) {
    const char *progress = isatty(STDERR_FILENO) ? "--progress-bar" : "--silent";
    const char *const argv[] = {
        "curl", "--fail",        "--location", "--show-error", progress, "--connect-timeout",
        "20",   "--speed-limit", "1000",       "--speed-time", "60",     "--continue-at",
        "-",    "--output",      part,         "--",           address,  NULL};
    return rti_program_run(argv, 0, NULL, error);
}

/* One mirror. True when `part` has the right sum after it. What was there before is continued; when
 * that does not work (no byte came, or the sum is wrong), the file is fetched once more from its start.
 * A broken connection leaves what has come for the next mirror or the next time. */
static bool mirror_try(const char *address, const rti_download *d, const char *part, rt_error *error) {
    for (;;) {
        long long before = size_of(part);
        if (before > 0)
            rt_say(RT_LOG_INFO, "going on with %s at %lld bytes", address, before);
        else
            rt_say(RT_LOG_INFO, "fetching %s", address);
        rt_error why = {0};
        bool came = curl(address, part, &why) == RT_OK, same = false;
        if (came && sum_compare(part, d->sha256, &same, error) != RT_OK) return false;
        if (same) return true;
        if (came) {
            rt_fail(error, RT_FORMAT, "%s: the SHA-256 is not that of the published file; nothing was kept",
                    address);
            unlink(part);
        } else {
            rt_fail(error, RT_PROGRAM, "%s: %s", address, why.message);
            if (before > 0 && size_of(part) <= before)
                unlink(part); /* cannot be continued there */
            else
                before = 0;
        }
        if (before <= 0) return false;
    }
}

static const char *mirror_list(void) {
    const char *list = getenv("RETORT_MIRROR");
    return list && *list ? list : NULL;
}

/* Address of `d` at mirror i, from RETORT_MIRROR or the public ones. False after the last. */
static bool mirror_address(const rti_fetch_set *set, const rti_download *d, int i, char *out, size_t size) {
    const char *list = mirror_list();
    if (!list) {
        if (i >= 3 || !set->mirrors[i]) return false;
        return snprintf(out, size, "%s%s", set->mirrors[i], d->file) < (int)size;
    }
    for (; i > 0; i--) {
        list = strchr(list, ',');
        if (!list) return false;
        list++;
    }
    int length = (int)strcspn(list, ",");
    while (length > 0 && list[length - 1] == '/') length--;
    return length > 0 && snprintf(out, size, "%.*s/%s/%s", length, list, set->name, d->file) < (int)size;
}

/* folder/FILE with the right sum, from what is there, what was begun, or a mirror. */
static rt_status packed_get(const rti_fetch_set *set, const rti_download *d, const char *packed,
                            const char *part, rt_error *error) {
    bool same = false;
    if (rti_file_exists(packed)) {
        RT_TRY(sum_compare(packed, d->sha256, &same, error));
        if (same) return RT_OK;
        unlink(packed);
    }
    if (size_of(part) > 0) RT_TRY(sum_compare(part, d->sha256, &same, error));
    char address[1024];
    rt_error last = {0};
    int tried = 0;
    while (!same && mirror_address(set, d, tried, address, sizeof address)) {
        last = (rt_error){0};
        same = mirror_try(address, d, part, &last);
        if (!same) rt_say(RT_LOG_WARNING, "%s", last.message);
        tried++;
    }
    if (!same)
        return rt_fail(error, last.status ? last.status : RT_PROGRAM,
                       "%s could not be fetched from any of %d mirrors. "
                       "The last: %s",
                       d->file, tried, last.message);
    if (rename(part, packed) != 0)
        return rt_fail(error, RT_IO, "%s: cannot be renamed to %s: %s", part, packed, strerror(errno));
    return RT_OK;
}

/* ---- unpacking ---- */

static rt_status gunzip(const rti_download *d, const char *packed, const char *path, rt_error *error) {
    rti_bytes bytes;
    RT_TRY(rti_file_read_gzip(packed, d->bytes, &bytes, error));
    rt_status status = RT_OK;
    if (bytes.count != d->bytes)
        status = rt_fail(error, RT_FORMAT, "%s: unpacks to %zu bytes instead of %zu", packed, bytes.count,
                         d->bytes);
    if (status == RT_OK) status = rti_file_write(path, bytes.data, bytes.count, error);
    rt_free(bytes.data);
    return status;
}

/* Unpacks into a folder beside, verifies each member, renames them, removes what is left. */
static rt_status untar(const rti_fetch_set *set, const char *packed, const char *folder, rt_error *error) {
    static const char *const extras[] = {"batches.meta.txt", "readme.html", "coarse_label_names.txt",
                                         "fine_label_names.txt"};
    const char *const argv[] = {"tar", "-xzf", packed, "-C", folder, NULL};
    char inside[RTI_PATH_MAX], from[RTI_PATH_MAX], to[RTI_PATH_MAX];
    RT_TRY(rti_program_run(argv, 0, NULL, error));
    RT_TRY(rti_path_join(inside, sizeof inside, folder, set->archive_folder, error));
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < set->member_count; i++) {
            const rti_fetch_member *m = &set->members[i];
            bool same;
            RT_TRY(rti_path_join(from, sizeof from, inside, m->name, error));
            RT_TRY(rti_path_join(to, sizeof to, folder, m->name, error));
            if (pass == 0) {
                RT_TRY(sum_compare(from, m->sha256, &same, error));
                if (!same)
                    return rt_fail(error, RT_FORMAT, "%s: the SHA-256 is not that of the published file",
                                   from);
            } else if (rename(from, to) != 0) {
                return rt_fail(error, RT_IO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
            }
        }
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (rti_path_join(from, sizeof from, inside, extras[i], error) == RT_OK) unlink(from);
    rmdir(inside);
    return RT_OK;
}

static bool members_there(const rti_fetch_set *set, const char *folder) {
    char path[RTI_PATH_MAX];
    for (int i = 0; i < set->member_count; i++)
        if (rti_path_join(path, sizeof path, folder, set->members[i].name, NULL) != RT_OK ||
            !rti_file_exists(path))
            return false;
    return true;
}

static rt_status download_get(const rti_fetch_set *set, const rti_download *d, const char *folder,
                              rt_error *error) {
    char packed[RTI_PATH_MAX], part[RTI_PATH_MAX], path[RTI_PATH_MAX], name[64];
    snprintf(name, sizeof name, "%s.part", d->file);
    RT_TRY(rti_path_join(packed, sizeof packed, folder, d->file, error));
    RT_TRY(rti_path_join(part, sizeof part, folder, name, error));
    RT_TRY(rti_path_join(path, sizeof path, folder, d->name ? d->name : "", error));
    if (d->name ? size_of(path) == (long long)d->bytes : members_there(set, folder)) {
        rt_say(RT_LOG_INFO, "%s is there already", d->name ? path : folder);
        return RT_OK;
    }
    RT_TRY(packed_get(set, d, packed, part, error));
    if (d->name)
        RT_TRY(gunzip(d, packed, path, error));
    else
        RT_TRY(untar(set, packed, folder, error));
    unlink(packed);
    return RT_OK;
}

rt_status rti_fetch_run(const rti_fetch_set *set, const char *directory, rt_error *error) {
    char folder[RTI_PATH_MAX];
    if (!rti_program_exists("curl"))
        return rt_fail(error, RT_PROGRAM, "curl is not installed; it downloads the files");
    RT_TRY(rti_path_join(folder, sizeof folder, directory, set->name, error));
    RT_TRY(rti_directory_make(folder, error));
    for (int i = 0; i < set->count; i++) RT_TRY(download_get(set, &set->downloads[i], folder, error));
    rt_say(RT_LOG_INFO, "%s is in %s", set->name, folder);
    return RT_OK;
}

rt_status rt_data_fetch(const char *name, const char *directory, rt_error *error) {
    char found[RTI_PATH_MAX];
    const rti_fetch_set *set = NULL;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i].name, name) == 0) set = &sets[i];
    if (!set)
        return rt_fail(error, RT_NOT_FOUND,
                       "\"%s\" cannot be fetched; mnist, fashion-mnist, cifar10 and cifar100 can",
                       name);
    if (!directory) {
        RT_TRY(rt_data_directory(found, sizeof found, error));
        directory = found;
    }
    return rti_fetch_run(set, directory, error);
}
