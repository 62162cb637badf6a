# shellcheck shell=bash disable=SC2034,SC2154
# Java 17, Maven and Gradle from Debian. Read by base-images.sh, which gives it unpack_debian, install_debian, import,
# say, die, need and $work.
#
# No Maven repository is asked: Maven's settings name the one that Debian's packages make up.

java_tags=(eclipse-temurin:17-jre maven:3-eclipse-temurin-17 gradle:8-jdk17 eclipse-temurin:17-jdk)

make_java() {
  local root=$work/java tag path='ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  unpack_debian "$root"
  say 'installing a Java runtime (Debian)'
  install_debian "$root" openjdk-17-jre-headless
  import "$root" "$path" 'ENV JAVA_HOME=/usr/lib/jvm/default-java' -- eclipse-temurin:17-jre
  say 'installing the JDK, Maven and Gradle (Debian)'
  install_debian "$root" openjdk-17-jdk-headless maven gradle libmaven-resources-plugin-java \
    libmaven-compiler-plugin-java libsurefire-java libmaven-jar-plugin-java libmaven-install-plugin-java \
    libmaven-dependency-plugin-java libmaven-deploy-plugin-java libmaven-site-plugin-java
  cat >"$root/etc/maven/settings.xml" <<'XML'
<settings>
  <mirrors>
    <mirror><id>debian</id><mirrorOf>*</mirrorOf><url>file:///usr/share/maven-repo</url></mirror>
  </mirrors>
</settings>
XML
  import "$root" "$path" -- maven:3-eclipse-temurin-17 gradle:8-jdk17 eclipse-temurin:17-jdk
  rm -rf --one-file-system "$root"
}
