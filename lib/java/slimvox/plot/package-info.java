/** Figures, drawn as interactive pages and as static pictures, which work without a network. */
package slimvox.plot;
