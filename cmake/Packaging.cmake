include(GNUInstallDirs)
install(FILES server/config.ini client/config.yaml
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md proto/lottery.proto
              proto/control.proto
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES docs/protocol.md docs/disk-format.md docs/hostile-input.md docs/performance.md
              docs/operator.md docs/operations.md docs/processes.md docs/identity.md docs/seal.md
              docs/observer.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright) # Debian's name for it

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "National Lottery maintainers <maintainers@lottery.invalid>")
set(CPACK_PACKAGE_NAME national-lottery)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_STRIP_FILES ON)
include(CPack)
