// test_files.c - section >>files: a file is replaced as a whole or not at all.
#define _POSIX_C_SOURCE 200809L
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Files that the tests make begin with this; `path` is one of them.
static char base[1000], path[1200];

static void name_path(const char *ending) { sprintf(path, "%s.%s", base, ending); }

// The temporary file that this process makes first beside `path`.
static const char *temporary(void) {
    static char name[1300];
    sprintf(name, "%s.%lu-0.tmp", path, (unsigned long)getpid());
    return name;
}

// Returns 1 if a file, or a link, of this name is there.
static int exists(const char *name) {
    struct stat st;
    return lstat(name, &st) == 0;
}

// Returns 1 if a file holds these bytes and nothing else.
static int holds(const char *name, const void *data, size_t size) {
    char *got = (char *)malloc(size + 1);
    FILE *file = fopen(name, "rb");
    int same = got && file && fread(got, 1, size + 1, file) == size && memcmp(got, data, size) == 0;
    if (file) fclose(file);
    free(got);
    return same;
}

// ---- checkpoints by path ------------------------------------------------------------------------

// save writes what save_mem makes, load reads it; a model that cannot be saved leaves the old file.
static void test_save_and_load(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    plan how = small_plan(NULL, 0);
    parts p = flat_parts(x, 1), again;
    pktseq_error err;
    name_path("safetensors");
    how.train.iterations = 2;
    CHECK(pktseq_train(&p.model, &p.dataset, &how.train, &p.training, &err) == PKTSEQ_OK);
    CHECK(!pktseq_save(&p.model, NULL, &p.training, NULL, path, &err) && !err.text[0]);
    CHECK(!pktseq_save_mem(&p.model, NULL, &p.training, NULL, &p.file, NULL, &err));
    CHECK(holds(path, p.file.data, p.file.size) && !exists(temporary()));
    CHECK_THAT(!parts_open(&again, path, NULL, &err), "%s", err.text);
    CHECK(equal_bytes(again.model.block, p.model.block, p.model.parameters * sizeof(real)) &&
          equal_trainings(&p.training, &again.training));
    parts_free(&again);
    p.model.block[1] = (real)NAN;
    CHECK(pktseq_save(&p.model, NULL, NULL, NULL, path, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(strncmp(err.text, path, strlen(path)) == 0, "%s", err.text);
    CHECK(holds(path, p.file.data, p.file.size) && !exists(temporary()));
    CHECK(pktseq_save(&p.model, NULL, NULL, NULL, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_load(&again.model, NULL, NULL, NULL, NULL, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    remove(path);
    parts_free(&p);
}

// Files that are not there, are cut short or are empty: nothing is loaded, and the message names
// the path.
static void test_not_loaded(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    parts p = flat_parts(x, 1), again;
    pktseq_error err;
    name_path("cut");
    CHECK(!pktseq_save_mem(&p.model, NULL, NULL, NULL, &p.file, NULL, &err));
    for (int cut = 0; cut < 3; ++cut) {
        remove(path);
        if (cut) CHECK(!pktseq_file_write(path, p.file.data, cut == 2 ? p.file.size - 7 : 0, NULL,
                                          &err));
        CHECK(parts_open(&again, path, NULL, &err) ==
              (cut ? PKTSEQ_ERROR_DATA : PKTSEQ_ERROR_FILE));
        CHECK_THAT(says(&err, path) && (cut < 2 || says(&err, "7 bytes missing")), "%s",
                   err.text);
        CHECK(is_zero(&again, sizeof again));
    }
    remove(path);
    parts_free(&p);
}

// ---- one file in the place of another -----------------------------------------------------------

// The disk is full after every so many bytes: the old file stays, and no temporary one.
static void test_full_disk(void) {
    static char old_text[20000], new_text[30000];
    struct rlimit all, limit;
    size_t tried = 0, failed = 0, left = 0, spoilt = 0;
    pktseq_error err;
    name_path("full");
    memset(old_text, 'a', sizeof old_text);
    memset(new_text, 'b', sizeof new_text);
    CHECK(!pktseq_file_write(path, old_text, sizeof old_text, NULL, &err));
    signal(SIGXFSZ, SIG_IGN);
    CHECK(!getrlimit(RLIMIT_FSIZE, &all));
    for (size_t room = 0; room < sizeof new_text; room = room * 3 / 2 + 1) {
        pktseq_status status;
        limit = all;
        limit.rlim_cur = (rlim_t)room;
        setrlimit(RLIMIT_FSIZE, &limit);
        status = pktseq_file_write(path, new_text, sizeof new_text, NULL, &err);
        setrlimit(RLIMIT_FSIZE, &all);
        ++tried;
        failed += status == PKTSEQ_ERROR_FILE && err.status == status && err.text[0];
        left += (size_t)exists(temporary());
        spoilt += !holds(path, old_text, sizeof old_text);
    }
    CHECK_THAT(failed == tried && tried > 20, "%lu of %lu full disks", (unsigned long)failed,
               (unsigned long)tried);
    CHECK_THAT(left == 0, "%lu temporary files left", (unsigned long)left);
    CHECK_THAT(spoilt == 0, "%lu old files spoilt", (unsigned long)spoilt);
    CHECK(!pktseq_file_write(path, new_text, sizeof new_text, NULL, &err));
    CHECK(holds(path, new_text, sizeof new_text) && !remove(path));
}

// Who may read the old file may read the new one, and nobody else.
static void test_permissions(void) {
    static const mode_t mode[] = {0640, 0400, 0666};
    struct stat st;
    pktseq_error err;
    name_path("mode");
    CHECK(!pktseq_file_write(path, "old", 3, NULL, &err));
    for (size_t i = 0; i < sizeof mode / sizeof *mode; ++i) {
        CHECK(!chmod(path, mode[i]) && !pktseq_file_write(path, "new", 3, NULL, &err));
        CHECK_THAT(!stat(path, &st) && (st.st_mode & 0777) == mode[i], "%o", (unsigned)st.st_mode);
    }
    remove(path);
}

// The temporary file's name is taken, by a folder or by a link to somebody else's file: another
// name is used, and what is there is left alone. A link in the place of the path stays a link.
static void test_links(void) {
    char victim[1300], target[1300] = "";
    const char *name;
    pktseq_error err;
    name_path("linked");
    name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    CHECK(!mkdir(temporary(), 0777));
    CHECK_THAT(!pktseq_file_write(path, "first", 5, NULL, &err), "%s", err.text);
    CHECK(!rmdir(temporary()) && holds(path, "first", 5));
    sprintf(victim, "%s.victim", path);
    CHECK(!pktseq_file_write(victim, "mine", 4, NULL, &err));
    CHECK(!symlink(victim + (name - path), temporary()));
    CHECK_THAT(!pktseq_file_write(path, "second", 6, NULL, &err), "%s", err.text);
    CHECK(holds(path, "second", 6) && holds(victim, "mine", 4) && !remove(temporary()));
    sprintf(victim, "%s.link", path);
    remove(victim);
    CHECK(!symlink(name, victim) && !pktseq_file_write(victim, "third", 5, NULL, &err));
    CHECK(holds(path, "third", 5));
    CHECK(readlink(victim, target, sizeof target - 1) > 0 && strcmp(target, name) == 0);
    CHECK(!remove(victim) && !remove(path));
    sprintf(victim, "%s.victim", path);
    CHECK(!remove(victim));
}

// The path is a folder, or in none: the reason is said, and nothing is left.
static void test_no_place(void) {
    char inside[1300];
    pktseq_buffer buffer;
    pktseq_error err;
    name_path("place");
    CHECK(!pktseq_file_write(path, "file", 4, NULL, &err));
    sprintf(inside, "%s/x", path);
    CHECK(pktseq_file_write(inside, "x", 1, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(says(&err, inside) && says(&err, "is not a folder"), "%s", err.text);
    CHECK(!remove(path) && !mkdir(path, 0777));
    CHECK(pktseq_file_write(path, "x", 1, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(says(&err, path) && !exists(temporary()), "%s", err.text);
    CHECK(pktseq_file_read(&buffer, path, NULL, NULL, &err) == PKTSEQ_ERROR_FILE && err.text[0]);
    CHECK(!buffer.data && !rmdir(path));
    CHECK(pktseq_file_write("no/such/folder/x", "x", 1, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(says(&err, "no/such/folder/x") && says(&err, "no such file or folder"), "%s",
               err.text);
}

// Two processes write one path at the same time: both are told that it went well, and what is there
// is always the one or the other, whole.
static void test_two_writers(void) {
    static char text[2][60000], got[60001];
    size_t bad = 0;
    pid_t child[2];
    name_path("two");
    for (int k = 0; k < 2; ++k) memset(text[k], 'a' + k, sizeof text[k]);
    CHECK(!pktseq_file_write(path, text[0], sizeof text[0], NULL, NULL));
    for (int k = 0; k < 2; ++k) {
        child[k] = fork();
        if (child[k] != 0) continue;
        for (int i = 0; i < 40; ++i)
            if (pktseq_file_write(path, text[k], sizeof text[k], NULL, NULL)) _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 200; ++i) {
        FILE *file = fopen(path, "rb");
        size_t size = file ? fread(got, 1, sizeof got, file) : 0;
        if (file) fclose(file);
        bad += size != sizeof text[0] ||
               (memcmp(got, text[0], size) != 0 && memcmp(got, text[1], size) != 0);
    }
    for (int k = 0; k < 2; ++k) {
        int status = 1;
        CHECK(waitpid(child[k], &status, 0) == child[k]);
        CHECK_THAT(status == 0, "writer %d: status %d", k, status);
    }
    CHECK_THAT(bad == 0, "%lu of 200 were spoilt", (unsigned long)bad);
    CHECK(!remove(path));
}

// A buffer goes back to the allocator that it came from. pktseq_save has none of its own: it takes
// the model's.
static void test_whose_memory(void) {
    counter c;
    pktseq_allocator allocator = fenced(&c);
    pktseq_config config = net_of(2, 2, 3, 1);
    pktseq_model model;
    pktseq_buffer buffer;
    pktseq_error err;
    name_path("memory");
    CHECK(!pktseq_model_init(&model, &config, 1, &allocator, &err));
    c.allocations = 0;
    CHECK_THAT(pktseq_save(&model, NULL, NULL, NULL, path, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(c.allocations > 0);
    pktseq_model_free(&model);
    CHECK(c.live == 0);
    CHECK_THAT(!pktseq_file_read(&buffer, path, NULL, &allocator, &err), "%s", err.text);
    CHECK(c.live == 1 && buffer.allocator.user_data == &c && buffer.capacity >= buffer.size);
    pktseq_buffer_free(&buffer);
    CHECK(c.live == 0 && !buffer.data);
    remove(path);
}

// ---- what is no file, or cannot be opened -------------------------------------------------------

// Why a file cannot be opened is said, if the caller's own file system tells it by errno.
static void *closed_door(const char *path, int write, void *user_data) {
    (void)path;
    (void)write;
    errno = *(const int *)user_data;
    return NULL;
}

static void test_not_opened(void) {
    int reason = 0;
    pktseq_files files;
    pktseq_buffer buffer;
    pktseq_error err;
    memset(&files, 0, sizeof files);
    files.open_fn = closed_door;
    files.user_data = &reason;
    CHECK(pktseq_file_read(&buffer, "a.csv", &files, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(strcmp(err.text, "a.csv: cannot be opened") == 0, "%s", err.text);
#ifdef EACCES
    reason = EACCES;
    CHECK(pktseq_file_read(&buffer, "a.csv", &files, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(strcmp(err.text, "a.csv: cannot be opened: permission denied") == 0, "%s", err.text);
#endif
    CHECK(!buffer.data);
}

// A table from a pipe that has a name: it has no size that could be asked for beforehand.
static void test_pipe(void) {
    static const char csv[] = "position,length\n0,60\n1,70\n0,80\n";
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_error err;
    char device[40];
    int end[2];
    if (pipe(end) != 0) return;
    sprintf(device, "/dev/fd/%d", end[0]);
    if (access(device, R_OK) != 0) {
        printf("  SKIPPED: %s is not there\n", device);
    } else {
        CHECK(write(end[1], csv, sizeof csv - 1) == (ssize_t)sizeof csv - 1);
        close(end[1]);
        end[1] = -1;
        CHECK_THAT(pktseq_table_read(&table, device, &schema, NULL, &err) == PKTSEQ_OK, "%s",
                   err.text);
        CHECK(table.rows == 3 && table.sequences == 2 &&
              pktseq_column_number(table.column, 2) == 80);
        pktseq_table_free(&table);
    }
    close(end[0]);
    if (end[1] >= 0) close(end[1]);
}

// A folder is no file, whatever it says about its size: some name one, some have no end.
static void test_folders(void) {
    static const char *const folder[] = {".", "/", "/proc", "/dev/shm", "/tmp"};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
    pktseq_error err;
    for (size_t i = 0; i < sizeof folder / sizeof *folder; ++i) {
        CHECK(pktseq_table_read(&table, folder[i], &schema, NULL, &err) == PKTSEQ_ERROR_FILE);
        CHECK_THAT(strncmp(err.text, folder[i], strlen(folder[i])) == 0 &&
                       (says(&err, ": reading failed") || says(&err, ": cannot be opened")), "%s",
                   err.text);
        CHECK(!table.column && table.rows == 0);
    }
}

// Does this process have no more rights than anybody else? Root gives its own away, and takes them
// back with rights_back.
static int without_rights(void) {
    return geteuid() != 0 || seteuid(65534) == 0;
}

static void rights_back(void) {
    if (geteuid() != getuid()) CHECK(seteuid(getuid()) == 0);
}

// A file of somebody else's: the user reads that it is there, but not for him.
static void test_forbidden(void) {
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
    pktseq_buffer buffer;
    pktseq_error err;
    FILE *file;
    name_path("forbidden");
    remove(path);
    file = fopen(path, "wb");
    CHECK(file != NULL);
    if (!file) return;
    fclose(file);
    CHECK(chmod(path, 0) == 0);
    if (without_rights()) {
        CHECK(pktseq_table_read(&table, path, &schema, NULL, &err) == PKTSEQ_ERROR_FILE);
        CHECK_THAT(says(&err, ".forbidden: cannot be opened: permission denied"), "%s", err.text);
        CHECK(!table.column);
        CHECK(pktseq_file_read(&buffer, path, NULL, NULL, &err) == PKTSEQ_ERROR_FILE);
        CHECK_THAT(says(&err, ".forbidden: cannot be opened: permission denied"), "%s", err.text);
        CHECK(!buffer.data);
    } else {
        printf("  SKIPPED: root keeps its rights here\n");
    }
    rights_back();
    remove(path);
}

// Into a folder that one may write to, but not look into: the file is there, and all is well,
// although the folder itself cannot be told to go to the disk.
static void test_unreadable_folder(void) {
    char folder[1100];
    pktseq_buffer buffer;
    pktseq_error err;
    FILE *file;
    sprintf(folder, "%s.folder", base);
    sprintf(path, "%s/file", folder);
    remove(path);  // what a test that was cut short has left
    rmdir(folder);
    CHECK(mkdir(folder, 0700) == 0 && chmod(folder, 0333) == 0);
    file = without_rights() ? fopen(path, "wb") : NULL;
    if (file) {
        fclose(file);
        CHECK(open(folder, O_RDONLY) < 0);
        for (int i = 0; i < 2; ++i) {
            CHECK_THAT(pktseq_file_write(path, "what it is", 10, NULL, &err) == PKTSEQ_OK, "%s",
                       err.text);
            CHECK_THAT(pktseq_file_read(&buffer, path, NULL, NULL, &err) == PKTSEQ_OK, "%s",
                       err.text);
            CHECK(buffer.size == 10 && memcmp(buffer.data, "what it is", 10) == 0);
            pktseq_buffer_free(&buffer);
            CHECK(remove(path) == 0);  // the second time there is none before
        }
    } else {
        printf("  SKIPPED: %s is out of reach for anybody but root\n", folder);
    }
    rights_back();
    CHECK(rmdir(folder) == 0);
}

// /dev/fd/N, and so /dev/stdout, may lead to a pipe or a regular file: they are written to, for
// nothing can be put in their place in /dev.
static void test_device(void) {
    static const char *const text[] = {"first, the long one", "second"};
    char device[40], got[40];
    int end[2];
    pktseq_buffer buffer;
    pktseq_error err;
    int descriptor;
    name_path("device");
    descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(descriptor >= 0);
    sprintf(device, "/dev/fd/%d", descriptor);
    if (access(device, W_OK) != 0) {
        printf("  SKIPPED: %s is not there\n", device);
    } else {
        for (int i = 0; i < 2; ++i) {
            CHECK(lseek(descriptor, 0, SEEK_SET) == 0 && ftruncate(descriptor, 0) == 0);
            CHECK_THAT(pktseq_file_write(device, text[i], strlen(text[i]), NULL, &err) ==
                           PKTSEQ_OK, "%s", err.text);
            CHECK_THAT(pktseq_file_read(&buffer, path, NULL, NULL, &err) == PKTSEQ_OK, "%s",
                       err.text);
            CHECK(buffer.size == strlen(text[i]) &&
                  memcmp(buffer.data, text[i], buffer.size) == 0);
            pktseq_buffer_free(&buffer);
        }
    }
    close(descriptor);
    remove(path);
    if (pipe(end) != 0) return;
    sprintf(device, "/dev/fd/%d", end[1]);
    if (access(device, W_OK) == 0) {
        CHECK_THAT(pktseq_file_write(device, text[1], strlen(text[1]), NULL, &err) == PKTSEQ_OK,
                   "%s", err.text);
        close(end[1]);
        end[1] = -1;  // else a pipe without anything in it would have to be waited for
        CHECK(read(end[0], got, sizeof got) == (ssize_t)strlen(text[1]) &&
              memcmp(got, text[1], strlen(text[1])) == 0);
    }
    close(end[0]);
    if (end[1] >= 0) close(end[1]);
}

int main(int argc, char **argv) {
    sprintf(base, "%.900s_%lu", argc > 0 && argv[0][0] ? argv[0] : "build/test_files",
            (unsigned long)getpid());
    test_save_and_load();
    test_not_loaded();
    test_full_disk();
    test_permissions();
    test_links();
    test_no_place();
    test_two_writers();
    test_whose_memory();
    test_not_opened();
    test_pipe();
    test_folders();
    test_forbidden();
    test_unreadable_folder();
    test_device();
    return check_end("test_files");
}
