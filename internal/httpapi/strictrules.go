package httpapi

import "github.com/orgd/orgd/internal/httpapi/problem"

type fieldError = problem.Field

const maxPointer = problem.MaxPointer

func pointer(path ...string) string { return problem.Pointer(path...) }
