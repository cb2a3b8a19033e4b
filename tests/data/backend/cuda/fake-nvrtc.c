/* libnvrtc.so.12 that takes every source, with its headers behind it, for its own cubin; a line
   "#error TEXT" is an error, or what FAKE_ERROR says in its place. With FAKE_NEWER it compiles for
   cards to come only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char *source, *name, log[512]; } Program;

static void count(void) { /* how often anything was compiled, for tests of the cache */
  const char *file = getenv("FAKE_COMPILES");
  if (!file) return;
  FILE *out = fopen(file, "a");
  fputs("compiled\n", out);
  fclose(out);
}

int nvrtcVersion(int *major, int *minor) { *major = 12; *minor = 6; return 0; }
const char *nvrtcGetErrorString(int code) { (void)code; return "NVRTC_ERROR_COMPILATION"; }
int nvrtcGetNumSupportedArchs(int *number) { *number = 3; return 0; }
int nvrtcGetSupportedArchs(int *archs) {
  int newer = getenv("FAKE_NEWER") ? 100 : 0; /* as if it had forgotten today's cards */
  archs[0] = 75 + newer;
  archs[1] = 86 + newer;
  archs[2] = 90 + newer;
  return 0;
}
int nvrtcCreateProgram(Program **program, const char *source, const char *name, int headers,
    const char *const *contents, const char *const *names) {
  (void)names;
  *program = calloc(1, sizeof(Program));
  size_t length = strlen(source) + 1;
  for (int i = 0; i < headers; i++) length += strlen(contents[i]);
  (*program)->source = strcpy(malloc(length), source);
  for (int i = 0; i < headers; i++) strcat((*program)->source, contents[i]); /* for their macros */
  (*program)->name = strdup(name ? name : "default_program");
  return 0;
}
int nvrtcDestroyProgram(Program **program) { free(*program); *program = 0; return 0; }
int nvrtcCompileProgram(Program *program, int options, const char *const *values) {
  (void)options; (void)values;
  count();
  const char *wrong = getenv("FAKE_ERROR");
  char *error = strstr(program->source, wrong ? wrong : "#error");
  if (!error) return 0;
  int line = 1;
  for (char *c = program->source; c < error; c++) line += *c == '\n';
  int length = (int)strcspn(error, "\n");
  snprintf(program->log, sizeof program->log,
      "%s(%d): error: %.*s\n\n1 error detected in the compilation of \"%s\".\n",
      program->name, line, length, error, program->name);
  return 6;
}
int nvrtcGetProgramLogSize(Program *program, size_t *size) {
  *size = strlen(program->log) + 1;
  return 0;
}
int nvrtcGetProgramLog(Program *program, char *log) { strcpy(log, program->log); return 0; }
int nvrtcGetCUBINSize(Program *program, size_t *size) {
  *size = strlen(program->source) + 10;
  return 0;
}
int nvrtcGetCUBIN(Program *program, char *cubin) {
  sprintf(cubin, "FAKECUBIN%s", program->source);
  return 0;
}
int nvrtcGetPTXSize(Program *program, size_t *size) { return nvrtcGetCUBINSize(program, size); }
int nvrtcGetPTX(Program *program, char *ptx) { return nvrtcGetCUBIN(program, ptx); }
