# Sourced by notebooks/lab and lib/bin/slimvox.

# find_jdk: sets JDK to the home of a JDK that can run SlimVox: version 25 or newer, with the modules
# jdk.compiler and jdk.jshell (the notebook kernel) and jdk.incubator.vector. SLIMVOX_JAVA_HOME comes
# first, then JAVA_HOME, java on the PATH, and the places where JDKs are usually installed.
# Returns 1 and says what it looked at if there is none.
find_jdk() {
  local home java version looked_at=""
  local -a homes=()
  [ -n "${SLIMVOX_JAVA_HOME:-}" ] && homes+=("$SLIMVOX_JAVA_HOME")
  [ -n "${JAVA_HOME:-}" ] && homes+=("$JAVA_HOME")
  if java=$(command -v java 2>/dev/null); then
    homes+=("$(dirname "$(dirname "$(real_path "$java")")")")
  fi
  if [ -x /usr/libexec/java_home ] && home=$(/usr/libexec/java_home -v 25+ 2>/dev/null); then
    homes+=("$home")
  fi
  for home in "${CONDA_PREFIX:-/nonexistent}/lib/jvm" /usr/lib/jvm/* /opt/*jdk* /opt/java/* \
      "${HOME:-/nonexistent}"/.sdkman/candidates/java/* "${HOME:-/nonexistent}"/.jdks/* \
      /Library/Java/JavaVirtualMachines/*/Contents/Home; do
    [ -d "$home" ] && homes+=("$home")
  done
  for home in ${homes[@]+"${homes[@]}"}; do
    [ -x "$home/bin/java" ] || { looked_at+="  $home (no bin/java)"$'\n'; continue; }
    version=$(jdk_version "$home")
    case $version in
      ''|*[!0-9]*) looked_at+="  $home (its version cannot be told)"$'\n'; continue ;;
    esac
    if [ "$version" -lt 25 ]; then
      looked_at+="  $home (Java $version)"$'\n'
      continue
    fi
    has_modules "$home" jdk.compiler jdk.jshell jdk.incubator.vector && { JDK=$home; return 0; }
    looked_at+="  $home (Java $version, but not a whole JDK: it lacks jdk.compiler, jdk.jshell or jdk.incubator.vector)"$'\n'
  done
  echo "SlimVox needs a JDK, version 25 or newer, and found none. It looked at:" >&2
  printf '%s' "${looked_at:-  nothing: there is no Java here
}" >&2
  echo "Install one (for example Temurin 25), or set SLIMVOX_JAVA_HOME to the folder of one." >&2
  return 1
}

# jdk_version HOME: the number of the Java version, from the file beside the JDK where it has one
# (no JVM needs to start), else from java itself.
jdk_version() {
  local version=""
  [ -r "$1/release" ] && version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")
  [ -n "$version" ] || version=$("$1/bin/java" -XshowSettings:properties -version 2>&1 |
    sed -n 's/^ *java\.specification\.version = //p')
  echo "$version"
}

# has_modules HOME MODULE...: whether the JDK has them all, by the same file where it lists modules
# (0.2 s faster), else by java itself.
has_modules() {
  local home=$1 modules="" module
  shift
  [ -r "$home/release" ] && modules=$(sed -n 's/^MODULES="\(.*\)".*/\1/p' "$home/release")
  [ -n "$modules" ] || modules=$("$home/bin/java" --list-modules 2>/dev/null | sed 's/@.*//')
  modules=" ${modules//$'\n'/ } "
  for module in "$@"; do
    case $modules in *" $module "*) ;; *) return 1 ;; esac
  done
}

# real_path FILE: FILE with all symbolic links followed (readlink -f, which macOS got late).
real_path() {
  local file=$1 link
  while [ -L "$file" ]; do
    link=$(readlink "$file")
    case $link in /*) file=$link ;; *) file=$(dirname "$file")/$link ;; esac
  done
  echo "$(cd "$(dirname "$file")" && pwd -P)/$(basename "$file")"
}

# jvm_flags ROOT: the flags that SlimVox needs, from the property slimvox.jvm of ROOT/pom.xml, and
# those the user adds in SLIMVOX_JVM_OPTS.
jvm_flags() {
  sed -n 's|.*<slimvox\.jvm>\(.*\)</slimvox\.jvm>.*|\1|p' "$1/pom.xml"
  echo "${SLIMVOX_JVM_OPTS:-}"
}

# collector: what trains lies outside the Java heap; a small nursery keeps the process as small as
# the ledger says, within 100 MiB (with the JVM's own choice: 400 MiB). The user's choice wins.
collector() {
  case "${SLIMVOX_JVM_OPTS:-}${JAVA_TOOL_OPTIONS:-}${JDK_JAVA_OPTIONS:-}${_JAVA_OPTIONS:-}" in
    *GC*|*NewSize*) ;;
    *) echo ${1:--XX:+UseParallelGC -XX:MaxNewSize=32m} ;;
  esac
}

# utf8_names: names of files are UTF-8 to Java. Where the locale is C, POSIX or not installed, as in
# containers and batch jobs, it could open ASCII names only; it takes them from the locale alone.
utf8_names() {
  local name
  case $(locale charmap 2>/dev/null) in ANSI_X3*|US-ASCII|"") ;; *) return ;; esac
  for name in C.UTF-8 en_US.UTF-8; do
    [ "$(env LC_ALL=$name locale charmap 2>/dev/null)" != UTF-8 ] || { export LC_ALL=$name; return; }
  done
}
