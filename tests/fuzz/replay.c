// SPDX-License-Identifier: BSD-3-Clause
// Runs a fuzz target over every file of the directories named on the command line, in order of
// name: seeds are regression tests under any compiler. An empty or missing directory is a failure,
// so that seeds that moved do not pass for run.
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

// The file's bytes, heap-allocated at their exact size, so that a sanitizer sees a read past the
// end. Exits when it cannot be read.
static uint8_t *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        perror(path);
        exit(1);
    }
    rewind(file);
    data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    *ret_size = (size_t)size;
    return data;
}

static void replay_file(const char *directory, const char *name)
{
    char path[4096];
    uint8_t *data;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    printf("%s\n", path); // before it runs: the last line names the input that stopped us
    fflush(stdout);
    data = read_file(path, &size);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_directory(const char *directory)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_visible, alphasort);

    if (count < 0) {
        perror(directory);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        replay_file(directory, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (replay_directory(argv[i]) == 0) {
            fprintf(stderr, "%s: no inputs\n", argv[i]);
            return 1;
        }
    }
    return argc > 1 ? 0 : 1;
}
