/** The command line, {@link slimvox.cli.SlimVox}: one class a command. */
package slimvox.cli;
