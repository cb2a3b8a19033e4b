/**
 * What a notebook imports: {@link slimvox.notebook.Notebook} shows tables and figures, {@link
 * slimvox.notebook.TrainingPanel} a run while it trains.
 */
package slimvox.notebook;
