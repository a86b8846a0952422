/* SPDX-License-Identifier: MIT
 * cl_layout.h - the private layouts of the opencl backend (sct_desc.layout), made by PACK.
 * One pair serves CPU and GPU kernels: a row of a panel is 128 bytes, whatever reads it. */
#ifndef SCT_CL_LAYOUT_H
#define SCT_CL_LAYOUT_H

/* For a weight [N][K] (w[out][in]):
 * PANEL:   for LINEAR. ceil(N/32) panels, each [K][32]: element (k, j) of panel p is
 * w[32p+j][k]. PANEL_T: for LINEAR_DX. ceil(K/32) panels, each [N][32]: element (r, j) of panel
 * p is w[r][32p+j]. Missing columns are zero. */
enum cl_layout { CL_DENSE, CL_PANEL, CL_PANEL_T, CL_LAYOUT_COUNT };

enum { CL_PANEL_COLS = 32 };

#endif
