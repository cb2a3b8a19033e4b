/**
 * One vocabulary of settings: the component of a settings record is its declaration, see {@link
 * slimvox.settings.Setting}; what reads, checks, writes, lists and compares settings, see {@link
 * slimvox.settings.Declared}, knows nothing else.
 */
package slimvox.settings;
