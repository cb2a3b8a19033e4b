// Operations that only move values. CPU twin: slimvox.backend.cpu.kernels.CpuRearrangement.
//
//   copy_columns    columns of each row, from one width of rows to another (take, put channels)
//   space_to_depth  y[n, h, w, (t i + j) C + c] = x[n, 2 h + i, t w + j, c]; depth_to_space back
//   frames_first    y[n, w, c H + h] = x[n, h, w, c]; frames_first_backward: dx (+)= dy
//
// Launch: blocks of columns x rows, see column() and firstRow() in common.cuh; neighbouring
// threads touch neighbouring addresses on both sides, but for frames_first, where those of one
// side lie a frame apart and the second-level cache has to help: it moves the smallest activation
// of a network, once a step.
#include "common.cuh"

extern "C" __global__ void copy_columns(
    const float* x, int xColumns, float* y, int yColumns, long long rows, int columns,
    int rowsPerBlock) {
  forEach(rows, columns, rowsPerBlock, 0, [=](long long r, int c, float) {
    y[r * yColumns + c] = x[r * xColumns + c];
  });
}

// copy(wide, deep) of each place. A row is half a pixel of the deep side: the t pixels (2 h + i,
// t w + j) of the wide side lie side by side, a run of t C values.
template <class Copy>
__device__ inline void depth(int rows, int deepWidth, int run, int rowsPerBlock, Copy copy) {
  forEach(rows, run, rowsPerBlock, 0, [=](int r, int c, float) {
    int pixel = r / 2;
    int i = r % 2;
    int h = pixel / deepWidth;  // counts through the batch
    int w = pixel % deepWidth;
    copy(((long long)(2 * h + i) * deepWidth + w) * run + c, (long long)r * run + c);
  });
}

extern "C" __global__ void space_to_depth(
    const float* x, float* y, int rows, int deepWidth, int run, int rowsPerBlock) {
  depth(rows, deepWidth, run, rowsPerBlock, [=](long long wide, long long deep) {
    y[deep] = x[wide];
  });
}

extern "C" __global__ void depth_to_space(
    const float* y, float* x, int rows, int deepWidth, int run, int rowsPerBlock) {
  depth(rows, deepWidth, run, rowsPerBlock, [=](long long wide, long long deep) {
    x[wide] = y[deep];
  });
}

// copy(last, first) of each place with frames last and first. A row is a frame (n, w), a column
// c H + h.
template <class Copy>
__device__ inline void frames(
    int count, int height, int width, int channels, int rowsPerBlock, Copy copy) {
  int columns = height * channels;
  forEach(count, columns, rowsPerBlock, 0, [=](int frame, int column, float) {
    int h = column % height;
    long long pixel = ((long long)(frame / width) * height + h) * width + frame % width;
    copy(pixel * channels + column / height, (long long)frame * columns + column);
  });
}

extern "C" __global__ void frames_first(
    const float* x, float* y, int count, int height, int width, int channels, int rowsPerBlock) {
  frames(count, height, width, channels, rowsPerBlock, [=](long long last, long long first) {
    y[first] = x[last];
  });
}

extern "C" __global__ void frames_first_backward(
    const float* dy, float* dx, int count, int height, int width, int channels, int accumulate,
    int rowsPerBlock) {
  frames(count, height, width, channels, rowsPerBlock, [=](long long last, long long first) {
    dx[last] = (accumulate ? dx[last] : 0) + dy[first];
  });
}
