/* A sum that threads of OpenMP do together. */
int sum_of_squares(int count)
{
    int sum = 0;

#pragma omp parallel for reduction(+ : sum) num_threads(4)
    for (int number = 0; number < count; number++) {
        sum += number * number;
    }
    return sum;
}
